// SPDX-License-Identifier: Apache-2.0
// Rows and totals of a finished program.
#pragma once
#include "encrypted/explain.h"
#include "encrypted/program.h"
#include "encrypted/unit_costs.h"

namespace sinter::encrypted::detail {

std::vector<LayerRow> layer_rows(const EncryptedProgram& program,
                                 const UnitTable& units = built_in_units());
/// Fills rows, totals and everything that parameters and keys say.
void add_totals(Explanation& explanation, const EncryptedProgram& program,
                const UnitTable& units = built_in_units());

}  // namespace sinter::encrypted::detail
