// SPDX-License-Identifier: Apache-2.0
// From stages with layouts and levels to the instruction list.
#pragma once
#include "encrypted/diagonals.h"
#include "encrypted/levels.h"

namespace sinter::encrypted {

/// ranges[k] = largest |value| of stage k on the calibration data.
/// The graph has exactly one input stage. Fills everything of the program but metadata and hash.
EncryptedProgram assemble(const StageGraph& graph, const std::vector<Layout>& layouts,
                          const LevelPlan& plan, const ckks::CkksParams& params,
                          std::span<const double> ranges, const MapCosts& costs = {});

}  // namespace sinter::encrypted
