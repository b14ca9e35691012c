// SPDX-License-Identifier: Apache-2.0
// Branches that do not all fit one ciphertext may still read their parts of the input from one: the
// client puts the parts side by side, as the members of one tensor.
#pragma once
#include "encrypted/stage.h"

namespace sinter::encrypted {

/// Makes one input stage of all.
/// out  whether there is one now; when they differ in geometry, are multiplied with each other or
///      do not fit `slots`, nothing is done
bool join_inputs(StageGraph& graph, i64 slots);

}  // namespace sinter::encrypted
