// SPDX-License-Identifier: Apache-2.0
// Convolution as a matrix product, tile by tile.
//
//   columns[c*taps + t][p] = x[c, position p, tap t]        depth x tile, 0 in the padding
//   y[o, tile] = weight[o, :] * columns                     one sgemm, beta 1 over the bias
//
// The tile is as many outputs of one image as keep the columns near kColumnBytes, so that they are
// still in the second-level cache when sgemm reads them. Its size follows from the shape alone.
#include <algorithm>

#include "runtime/kernels/conv.h"
#include "runtime/kernels/gemm.h"

namespace sinter {
namespace {

constexpr i64 kColumnBytes = i64(512) << 10;

class Im2colPlan : public ConvPlan {
 public:
  explicit Im2colPlan(const ConvShape& shape) : s_(shape) {
    const i64 wanted = kColumnBytes / (4 * s_.depth()) / 16 * 16;
    tile_ = std::min(s_.out_plane(), std::max<i64>(wanted, 64));
  }

  i64 scratch_bytes() const override { return s_.is_pointwise() ? 0 : 4 * s_.depth() * tile_; }
  i64 packed_bytes() const override { return 0; }

  void run(ThreadPool& pool, const float* x, const float* weight, const float* bias, float* y,
           std::byte* scratch, i64 scratch_stride) const override {
    const i64 tiles = (s_.out_plane() + tile_ - 1) / tile_;
    pool.run(s_.batch * s_.groups * tiles, [&](i64 task, i64 worker) {
      const i64 image = task / tiles, group = image % s_.groups;  // image counts groups too
      const i64 first = task % tiles * tile_, count = std::min(tile_, s_.out_plane() - first);
      const float* from = x + image * s_.channels * s_.in_plane();
      float* to = y + image * s_.filters * s_.out_plane() + first;
      for (i64 o = 0; bias && o < s_.filters; ++o)
        std::fill_n(to + o * s_.out_plane(), count, bias[group * s_.filters + o]);
      MatrixView columns{from + first, s_.in_plane()};
      if (!s_.is_pointwise()) {
        float* gathered = reinterpret_cast<float*>(scratch + worker * scratch_stride);
        gather(from, first, count, gathered);
        columns = {gathered, count};
      }
      sgemm(s_.filters, count, s_.depth(), 1.f,
            {weight + group * s_.filters * s_.depth(), s_.depth()}, columns, bias ? 1.f : 0.f, to,
            s_.out_plane());
    });
  }

 private:
  void gather(const float* x, i64 first, i64 count, float* columns) const {
    for (i64 c = 0; c < s_.channels; ++c, x += s_.in_plane())
      for (i64 ky = 0; ky < s_.kernel_h; ++ky)
        for (i64 kx = 0; kx < s_.kernel_w; ++kx, columns += count)
          gather_tap(x, ky * s_.dilation_h - s_.pad_top, kx * s_.dilation_w - s_.pad_left, first,
                     count, columns);
  }

  /// One row of the matrix: outputs first .. first+count-1 of one plane, shifted by one tap.
  void gather_tap(const float* plane, i64 shift_y, i64 shift_x, i64 first, i64 count,
                  float* to) const {
    for (i64 p = first; p < first + count;) {
      const i64 oy = p / s_.out_w, ox = p % s_.out_w;
      const i64 run = std::min(s_.out_w - ox, first + count - p);
      copy_row(plane, oy * s_.stride_h + shift_y, shift_x, ox, run, to);
      to += run;
      p += run;
    }
  }

  void copy_row(const float* plane, i64 y, i64 shift_x, i64 ox, i64 run, float* to) const {
    if (y < 0 || y >= s_.in_h) return void(std::fill_n(to, run, 0.f));
    // Outputs [low, high) read inside the row.
    const i64 stride = s_.stride_w;
    const i64 low_all = shift_x >= 0 ? 0 : (-shift_x + stride - 1) / stride;
    const i64 high_all = s_.in_w <= shift_x ? 0 : (s_.in_w - shift_x + stride - 1) / stride;
    const i64 low = std::clamp(low_all, ox, ox + run), high = std::clamp(high_all, low, ox + run);
    const float* row = plane + y * s_.in_w + shift_x;
    std::fill_n(to, low - ox, 0.f);
    if (stride == 1)
      std::copy(row + low, row + high, to + (low - ox));
    else
      for (i64 o = low; o < high; ++o) to[o - ox] = row[o * stride];
    std::fill_n(to + (high - ox), ox + run - high, 0.f);
  }

  ConvShape s_;
  i64 tile_ = 1;
};

}  // namespace

std::unique_ptr<ConvPlan> plan_conv_im2col(const ConvShape& shape) {
  return std::make_unique<Im2colPlan>(shape);
}

}  // namespace sinter
