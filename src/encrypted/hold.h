// SPDX-License-Identifier: Apache-2.0
// Values held as v / 2^e, element by element. Factors cost no level, wherever they are:
//
//   linear     any e: its matrices carry 2^(e_operand - e), its bias 2^-e
//   product    e = e_x + e_y: shifts carry 2^-e_x and 2^-e_y, the constant behind it 2^-e
//   sum of all slots   one e for all elements of its operand, which is its own
//   input, output   e = 0
//
// Powers of two are exact in doubles, so the result is the same bit for bit.
#pragma once
#include <vector>

#include "encrypted/stage.h"

namespace sinter::encrypted {

/// Exponents of the elements of every stage's value.
using Exponents = std::vector<std::vector<int>>;

/// allowed[k]: the value of stage k can be held as v / 2^e: linear stages stand between it (through
/// products) and the input, and none of them reaches the output through products alone.
std::vector<bool> can_be_scaled(const StageGraph& graph);

/// Scales matrices, vectors and origins. e keeps the rules above; e[k].size() == stages[k].size().
void hold(StageGraph& graph, const Exponents& e);

}  // namespace sinter::encrypted
