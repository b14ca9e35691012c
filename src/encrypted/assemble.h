// SPDX-License-Identifier: Apache-2.0
// From stages with layouts and levels to the instruction list.
#pragma once
#include "encrypted/choose_babies.h"
#include "encrypted/diagonals.h"
#include "encrypted/levels.h"

namespace sinter::encrypted {

/// ranges[k] = largest |value| of stage k on the calibration data.
/// Input stages become the program's inputs in their order. Fills everything of the program but
/// metadata and hash. The way of evaluating each map is chosen with `units` (choose_babies.h). The
/// same for any pool.
EncryptedProgram assemble(const StageGraph& graph, const std::vector<Layout>& layouts,
                          const LevelPlan& plan, const ckks::CkksParams& params,
                          std::span<const double> ranges, const UnitCosts& units, ThreadPool& pool,
                          const KeyChoice& choice = {}, const MapCosts& costs = {});

}  // namespace sinter::encrypted
