// SPDX-License-Identifier: Apache-2.0
// Rows and totals of a finished program.
#pragma once
#include "encrypted/explain.h"
#include "encrypted/program.h"

namespace sinter::encrypted::detail {

std::vector<LayerRow> layer_rows(const EncryptedProgram& program);
/// Fills rows, totals and everything that parameters and keys say.
void add_totals(Explanation& explanation, const EncryptedProgram& program);

}  // namespace sinter::encrypted::detail
