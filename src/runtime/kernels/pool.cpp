// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/pool.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/ops/window.h"

namespace sinter {
namespace {

/// The taps of one output position along one axis: inputs first, first + step, ... count of them;
/// `padded` counts those in the padding as well, as count_include_pad wants.
struct Taps {
  i64 first, count, padded;
};

std::vector<Taps> axis_taps(const Window& w, size_t axis) {
  std::vector<Taps> all;
  const i64 dilation = w.dilations[axis], in = w.in[axis];
  for (i64 o = 0; o < w.out[axis]; ++o) {
    const i64 start = o * w.strides[axis] - w.begin[axis];
    const i64 low = start >= 0 ? 0 : (-start + dilation - 1) / dilation;
    const i64 high =
        start >= in ? 0 : std::min(w.kernel[axis], (in - start + dilation - 1) / dilation);
    const i64 padded =
        std::min(w.kernel[axis], (in + w.end[axis] - start + dilation - 1) / dilation);
    all.push_back({start + low * dilation, std::max<i64>(high - low, 0), padded});
  }
  return all;
}

struct Pool {
  i64 planes, in_h, in_w, step_h, step_w;
  std::vector<Taps> rows, columns;
  bool count_padding;
};

float larger(float a, float b) { return b > a ? b : a; }

template <bool kMax>
void pool_plane(const Pool& p, const float* x, float* row, float* y) {
  constexpr float kStart = kMax ? -std::numeric_limits<float>::infinity() : 0.f;
  for (const Taps& v : p.rows) {
    std::fill_n(row, p.in_w, kStart);
    for (i64 k = 0; k < v.count; ++k) {
      const float* from = x + (v.first + k * p.step_h) * p.in_w;
      for (i64 i = 0; i < p.in_w; ++i) row[i] = kMax ? larger(row[i], from[i]) : row[i] + from[i];
    }
    for (const Taps& h : p.columns) {
      float result = kStart;
      for (i64 k = 0; k < h.count; ++k) {
        const float value = row[h.first + k * p.step_w];
        result = kMax ? larger(result, value) : result + value;
      }
      if (!kMax) {
        const i64 count = p.count_padding ? v.padded * h.padded : v.count * h.count;
        result = count > 0 ? result / float(count) : 0.f;
      } else if (v.count == 0 || h.count == 0) {
        result = std::numeric_limits<float>::lowest();
      }
      *y++ = result;
    }
  }
}

template <bool kMax>
PreparedKernel prepare_pool(const KernelSite& site) {
  if (site.outputs.size() != 1 || site.in(0).size() > 4) return {};
  const Dims& x = site.in(0);
  const Window w = pool_window(site.description, site.attributes(), x).in_3d();
  const bool with_pads = site.attributes().integer("count_include_pad", 0) != 0;
  const Pool pool{x[0] * x[1],    w.in[1],         w.in[2],         w.dilations[1],
                  w.dilations[2], axis_taps(w, 1), axis_taps(w, 2), with_pads};
  const i64 in = w.in[1] * w.in[2], out = w.out[1] * w.out[2];
  PreparedKernel prepared;
  prepared.scratch_bytes = 4 * w.in[2];
  prepared.body = [=](const KernelArgs& args) {
    args.pool.run(pool.planes, [&](i64 plane, i64 worker) {
      pool_plane<kMax>(pool, args.in(0) + plane * in, args.worker_scratch(worker),
                       args.out() + plane * out);
    });
  };
  return prepared;
}

}  // namespace

PreparedKernel prepare_max_pool(const KernelSite& site) { return prepare_pool<true>(site); }
PreparedKernel prepare_average_pool(const KernelSite& site) { return prepare_pool<false>(site); }

}  // namespace sinter
