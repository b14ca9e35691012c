// SPDX-License-Identifier: Apache-2.0
// The first steps of compilation: batch bound to one, graph fused, stages merged and packed, ranges
// measured on the merged stages (so on the values that will be encrypted, factored activations
// included).
#pragma once
#include "encrypted/balance.h"
#include "encrypted/compile.h"
#include "encrypted/layer_values.h"
#include "encrypted/stage.h"

namespace sinter::encrypted {

/// The model with its batch dimension set to 1, fused when asked to.
/// merges  where given: one record for each pass that fused or saved levels
/// throws  Error(unsupported) naming an input whose other dimensions are not numbers;
///         Error(bad_input) naming a weight that is not finite
Graph bind_and_fuse(const Graph& model, bool fuse, std::vector<MergeRecord>* merges = nullptr);

struct Fitted {
  StageGraph stages;
  i64 members = 1;  ///< branches packed together
};

/// Lowered, merged, packed; one input stage or more. The merges sum up to graph_levels(fused) minus
/// the depth of the stages.
/// throws  Error(bad_argument) naming a BatchNormalization that is left with a level of its own,
///         unless `pay_for_affine`; when the batch does not fit the slots, and what would
Fitted fit(const Graph& fused, i64 slots, bool pay_for_affine, const PackingOptions& packing = {});

/// Calibration data, checked and cut into images.
/// throws  Error(bad_argument) for other shapes or types; Error(bad_input) naming image and element
///         for NaN or infinity, and when there is nothing but zeros
std::vector<Tensor> calibration_images(const Dims& input_dims, std::span<const Tensor> calibration);

struct StageMeasures {
  std::vector<double> ranges;                ///< largest |value| of every stage over the images
  ChannelRanges channels;                    ///< and of each channel of every stage
  std::vector<LayerDifference> differences;  ///< every stage against the network, first image
};

/// Runs the stages on all images, and proves them on the first one (prove_layers), whose names the
/// origins have afterwards.
///
/// network  batch 1, as its maker gave it, not fused
/// cost     one evaluation of the stages per image, in parallel; one of each graph
/// throws   as prove_layers; Error(bad_input) naming image and layer where a value overflows
/// thread   progress is called from the calling thread
StageMeasures measure(StageGraph& stages, const Graph& network, const Graph& fused,
                      std::span<const Tensor> images, const Progress& progress);

/// Holds the values at sizes that lose the fewest bits (balance.h), ranges included.
///
/// scheme  for its secret
/// out     bits gained by estimate; 0 when the stages stay as they were
double balance_measured(StageGraph& stages, StageMeasures& m, std::span<const Tensor> images,
                        const SchemeOptions& scheme);

}  // namespace sinter::encrypted
