// SPDX-License-Identifier: Apache-2.0
// Resampling of one axis: where an output position lies in the input, and which input elements make
// it with which weights. The weights of an axis are independent of the other axes, so a resize is
// one resampling after another.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "base/types.h"

namespace sinter::detail {

enum class Sampling { nearest, linear, cubic };

/// What Resize says of one axis.
struct ResampledAxis {
  i64 in = 0, out = 0;
  float scale = 1;           ///< as given, or out / in
  float start = 0, end = 1;  ///< region of interest, for tf_crop_and_resize
};

struct ResampleOptions {
  Sampling sampling = Sampling::nearest;
  std::string coordinates = "half_pixel";       ///< coordinate_transformation_mode
  std::string rounding = "round_prefer_floor";  ///< nearest_mode
  float cubic_a = -0.75f;
  bool exclude_outside = false;
  bool antialias = false;
};

/// Input elements and weights of one output element. `outside`: it lies beyond the region and takes
/// the extrapolation value instead.
struct Samples {
  std::vector<i64> elements;
  std::vector<double> weights;
  bool outside = false;
};

/// False for a name that coordinate_transformation_mode, nearest_mode does not have.
bool is_coordinate_mode(const std::string& name);
bool is_rounding_mode(const std::string& name);

/// The samples of every output position; in >= 1.
std::vector<Samples> resample(const ResampledAxis& axis, const ResampleOptions& options);

/// Weights of the elements -1, 0, 1, 2 around a point at `fraction` in [0, 1] (Keys 1981).
std::array<double, 4> cubic_weights(double fraction, double a);

}  // namespace sinter::detail
