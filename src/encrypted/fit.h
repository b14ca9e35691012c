// SPDX-License-Identifier: Apache-2.0
// The first steps of compilation: batch bound to one, graph fused, stages merged and packed, ranges
// measured on the merged stages (so on the values that will be encrypted, factored activations
// included).
#pragma once
#include "encrypted/compile.h"
#include "encrypted/stage.h"

namespace sinter::encrypted {

/// The model with its batch dimension set to 1, fused when asked to.
/// throws  Error(unsupported) naming an input whose other dimensions are not numbers
Graph bind_and_fuse(const Graph& model, bool fuse);

struct Fitted {
  StageGraph stages;
  i64 members = 1;  ///< branches packed together
};

/// Lowered, merged, packed; exactly one input stage.
/// throws  Error(bad_argument) naming a BatchNormalization that is left with a level of its own,
///         unless `pay_for_affine`
Fitted fit(const Graph& fused, i64 slots, bool pay_for_affine);

/// Calibration data, checked and cut into images.
/// throws  Error(bad_argument) for other shapes or types; Error(bad_input) naming image and element
///         for NaN or infinity
std::vector<Tensor> calibration_images(const Dims& input_dims, std::span<const Tensor> calibration);

/// Largest |value| of every stage over the images.
/// Also runs the fused graph on the first image: stages that do not agree with it are
/// Error(internal).
std::vector<double> measure_ranges(const StageGraph& stages, const Graph& fused,
                                   std::span<const Tensor> images, const Progress& progress);

}  // namespace sinter::encrypted
