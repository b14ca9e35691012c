// SPDX-License-Identifier: Apache-2.0
// What one bootstrap costs, from its outline: key switches of the trace and the secrets, the linear
// maps of both transforms (encoded ahead but one), the products of the sine.
#pragma once
#include "ckks/bootstrap.h"
#include "encrypted/cost.h"

namespace sinter::encrypted {

/// plaintext_bytes are those of the diagonals encoded ahead.
InstructionCost bootstrap_cost(const KeySwitching& ring, const ckks::BootstrapOutline& outline,
                               const UnitCosts& units);

/// Memory of the diagonals encoded ahead, as far as the outline's budget allows them.
i64 bootstrap_factors(const KeySwitching& ring, const ckks::BootstrapOutline& outline);

/// The largest memory that one bootstrap takes beside its operand, keys and factors.
i64 bootstrap_memory(const KeySwitching& ring, const ckks::BootstrapOutline& outline);

}  // namespace sinter::encrypted
