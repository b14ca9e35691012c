// SPDX-License-Identifier: Apache-2.0
#include "graph/ops/detail/resample.h"

#include <algorithm>
#include <cmath>

namespace sinter::detail {
namespace {

using Coordinate = float (*)(const ResampledAxis& axis, float x);

// Output position to input coordinate, in float as the runtimes compute it. The resized length is
// scale * in, which need not be whole.
float resized(const ResampledAxis& a) { return a.scale * float(a.in); }
float half_pixel(const ResampledAxis& a, float x) { return (x + 0.5f) / a.scale - 0.5f; }
float half_pixel_symmetric(const ResampledAxis& a, float x) {
  const float adjustment = float(a.out) / resized(a);
  return float(a.in) / 2 * (1 - adjustment) + half_pixel(a, x);
}
float pytorch_half_pixel(const ResampledAxis& a, float x) {
  return a.out > 1 ? half_pixel(a, x) : 0.f;
}
float align_corners(const ResampledAxis& a, float x) {
  return a.out > 1 ? x * float(a.in - 1) / (resized(a) - 1) : 0.f;
}
float asymmetric(const ResampledAxis& a, float x) { return x / a.scale; }
float tf_half_pixel_for_nn(const ResampledAxis& a, float x) { return (x + 0.5f) / a.scale; }
float tf_crop_and_resize(const ResampledAxis& a, float x) {
  const float last = float(a.in - 1);
  if (a.out > 1) return a.start * last + x * (a.end - a.start) * last / float(a.out - 1);
  return 0.5f * (a.start + a.end) * last;
}

constexpr std::pair<const char*, Coordinate> kCoordinates[] = {
    {"half_pixel", half_pixel},
    {"half_pixel_symmetric", half_pixel_symmetric},
    {"pytorch_half_pixel", pytorch_half_pixel},
    {"align_corners", align_corners},
    {"asymmetric", asymmetric},
    {"tf_half_pixel_for_nn", tf_half_pixel_for_nn},
    {"tf_crop_and_resize", tf_crop_and_resize},
};

constexpr std::pair<const char*, float (*)(float)> kRoundings[] = {
    {"round_prefer_floor", [](float x) { return std::ceil(x - 0.5f); }},
    {"round_prefer_ceil", [](float x) { return std::floor(x + 0.5f); }},
    {"floor", [](float x) { return std::floor(x); }},
    {"ceil", [](float x) { return std::ceil(x); }},
};

template <class Table>
auto find(const Table& table, const std::string& name) -> decltype(table[0].second) {
  for (const auto& [label, function] : table)
    if (label == name) return function;
  return nullptr;
}

/// Keys' kernel at distance `x`.
double cubic(double x, double a) {
  x = std::fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

double kernel(const ResampleOptions& options, double distance) {
  if (options.sampling == Sampling::cubic) return cubic(distance, options.cubic_a);
  return std::max(0., 1 - std::fabs(distance));
}

/// Clamps the elements, or takes those outside away, and makes the weights sum to 1 again.
void settle(Samples& s, i64 in, bool exclude_outside, bool normalize) {
  double sum = 0;
  for (size_t i = 0; i < s.elements.size(); ++i) {
    const bool outside = s.elements[i] < 0 || s.elements[i] >= in;
    if (outside && exclude_outside) s.weights[i] = 0;
    s.elements[i] = std::clamp<i64>(s.elements[i], 0, in - 1);
    sum += s.weights[i];
  }
  if ((exclude_outside || normalize) && sum != 0)
    for (double& w : s.weights) w /= sum;
}

Samples weighted(const ResampledAxis& axis, const ResampleOptions& options, float x) {
  const double stretch = options.antialias ? std::min(1., double(axis.scale)) : 1.;
  const double reach = options.sampling == Sampling::cubic ? 2 : 1;
  const i64 base = i64(std::floor(x)), before = i64(std::floor(-reach / stretch)) + 1;
  Samples s;
  for (i64 i = before; i <= 1 - before; ++i) {
    s.elements.push_back(base + i);
    s.weights.push_back(kernel(options, (double(base + i) - double(x)) * stretch));
  }
  settle(s, axis.in, options.exclude_outside, stretch != 1);
  return s;
}

}  // namespace

bool is_coordinate_mode(const std::string& name) { return find(kCoordinates, name) != nullptr; }
bool is_rounding_mode(const std::string& name) { return find(kRoundings, name) != nullptr; }

std::array<double, 4> cubic_weights(double fraction, double a) {
  return {cubic(fraction + 1, a), cubic(fraction, a), cubic(1 - fraction, a),
          cubic(2 - fraction, a)};
}

std::vector<Samples> resample(const ResampledAxis& axis, const ResampleOptions& options) {
  const Coordinate coordinate = find(kCoordinates, options.coordinates);
  const bool crops = coordinate == tf_crop_and_resize;
  const auto round = find(kRoundings, options.rounding);
  std::vector<Samples> all;
  for (i64 o = 0; o < axis.out; ++o) {
    // Coordinates far outside mean the edge; the limit keeps them inside i64.
    const float limit = float(4 * axis.in + 8);
    const float raw = coordinate(axis, float(o));
    const float x = raw >= -limit ? std::min(raw, limit) : -limit;
    Samples s;
    if (options.sampling == Sampling::nearest) {
      s = {{std::clamp<i64>(i64(round(x)), 0, axis.in - 1)}, {1.}};
    } else {
      s = weighted(axis, options, x);
    }
    s.outside = crops && !(x >= 0 && x <= float(axis.in - 1));
    all.push_back(std::move(s));
  }
  return all;
}

}  // namespace sinter::detail
