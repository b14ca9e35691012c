// SPDX-License-Identifier: Apache-2.0
// What the scheme's noise does to a program's values, by simulation with errors of the size that
// ckks/noise.h states.
#pragma once
#include <span>
#include <vector>

#include "base/threads.h"
#include "encrypted/program.h"

namespace sinter::encrypted {

struct PredictedErrors {
  /// Standard deviation of an element of the result: the largest of any element on any image, over
  /// the runs and all copies of the element.
  double output = 0;
  /// Root mean square over all slots of a layer's result, the largest of any image.
  std::vector<double> layers;
};

/// images  one image each, up to four are taken, evenly spaced; program.batch of 1
/// cost    five simulated runs an image, four of them with noise; parallel over images
/// out     the same for any pool
PredictedErrors predict_errors(const EncryptedProgram& program, std::span<const Tensor> images,
                               ThreadPool& pool);

/// results[l] = the last instruction of layer l, -1 when it has none.
std::vector<i32> layer_results(const EncryptedProgram& program);

}  // namespace sinter::encrypted
