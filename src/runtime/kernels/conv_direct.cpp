// SPDX-License-Identifier: Apache-2.0
// Direct convolution from registers.
//
// A task is one band of output rows of one image and group. It copies the input rows that the band
// reads into scratch, padded with zeros and, for a horizontal stride s, split into s phases:
//
//   scratch[c][row][phase][j] = padded x[c, row, j*s + phase]
//
// so that tap kx of outputs ox, ox+1, ... is contiguous from j = ox + (kx*dilation)/s in phase
// (kx*dilation) mod s. Output columns are cut into vectors of 8 (the last one is part-filled); a
// micro kernel computes up to 4 filters x 3 vectors, 12 accumulators, over all channels and taps.
// The order of the additions of one output is bias, then channels, then taps, whatever the tiling.
#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "runtime/kernels/conv.h"

namespace sinter {
namespace {

constexpr i64 kLanes = 8, kFilters = 4, kVectors = 3;
constexpr i64 kBandBytes = i64(96) << 10;  // of scratch; the band and the weights stay in L2

/// Where a micro kernel reads and writes.
struct Micro {
  const float* x;          ///< first element of the band's scratch
  const i64* tap_offsets;  ///< of each tap from a vector's base
  i64 channels, taps, plane;
  const float* weights;   ///< [channels][taps][filters of the block]
  const float* bias;      ///< of the block, or nullptr
  const i64* bases;       ///< of each vector in x
  float* const* outputs;  ///< of each vector for the first filter
  const i64* lengths;     ///< valid lanes of each vector
  i64 filter_step;        ///< between filters in the output
};

template <int kF, int kV>
void micro_scalar(const Micro& m) {
  float sum[kF][kV][kLanes];
  for (int f = 0; f < kF; ++f)
    for (int v = 0; v < kV; ++v)
      for (i64 l = 0; l < kLanes; ++l) sum[f][v][l] = m.bias ? m.bias[f] : 0.f;
  const float* w = m.weights;
  for (i64 c = 0; c < m.channels; ++c)
    for (i64 t = 0; t < m.taps; ++t, w += kF)
      for (int v = 0; v < kV; ++v) {
        const float* x = m.x + c * m.plane + m.tap_offsets[t] + m.bases[v];
        for (int f = 0; f < kF; ++f)
          for (i64 l = 0; l < kLanes; ++l) sum[f][v][l] += w[f] * x[l];
      }
  for (int f = 0; f < kF; ++f)
    for (int v = 0; v < kV; ++v)
      std::copy_n(sum[f][v], m.lengths[v], m.outputs[v] + f * m.filter_step);
}

// Loops over filters and vectors have constant bounds and must vanish, or the sums leave registers.
template <int kF, int kV>
SINTER_TARGET_AVX2 void micro_avx2(const Micro& m) {
  __m256 sum[kF][kV];
#pragma GCC unroll 4
  for (int f = 0; f < kF; ++f) {
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) sum[f][v] = _mm256_set1_ps(m.bias ? m.bias[f] : 0.f);
  }
  const float* w = m.weights;
  const float* plane = m.x;
  const i64 taps = m.taps;
  const i64* const offsets = m.tap_offsets;
  i64 bases[kV];
#pragma GCC unroll 4
  for (int v = 0; v < kV; ++v) bases[v] = m.bases[v];
  for (i64 c = 0; c < m.channels; ++c, plane += m.plane)
    for (i64 t = 0; t < taps; ++t, w += kF) {
      const float* x = plane + offsets[t];
      __m256 in[kV];
#pragma GCC unroll 4
      for (int v = 0; v < kV; ++v) in[v] = _mm256_loadu_ps(x + bases[v]);
#pragma GCC unroll 4
      for (int f = 0; f < kF; ++f) {
        const __m256 weight = _mm256_broadcast_ss(w + f);
#pragma GCC unroll 4
        for (int v = 0; v < kV; ++v) sum[f][v] = _mm256_fmadd_ps(weight, in[v], sum[f][v]);
      }
    }
#pragma GCC unroll 4
  for (int v = 0; v < kV; ++v) {
    if (m.lengths[v] == kLanes) {
#pragma GCC unroll 4
      for (int f = 0; f < kF; ++f) _mm256_storeu_ps(m.outputs[v] + f * m.filter_step, sum[f][v]);
      continue;
    }
    alignas(32) float lanes[kF][kLanes];
#pragma GCC unroll 4
    for (int f = 0; f < kF; ++f) _mm256_store_ps(lanes[f], sum[f][v]);
    for (int f = 0; f < kF; ++f)
      std::memcpy(m.outputs[v] + f * m.filter_step, lanes[f], size_t(m.lengths[v]) * 4);
  }
}

using MicroKernel = void (*)(const Micro&);

// [filters - 1][vectors - 1] for each instruction set.
constexpr MicroKernel kScalar[kFilters][kVectors] = {
    {micro_scalar<1, 1>, micro_scalar<1, 2>, micro_scalar<1, 3>},
    {micro_scalar<2, 1>, micro_scalar<2, 2>, micro_scalar<2, 3>},
    {micro_scalar<3, 1>, micro_scalar<3, 2>, micro_scalar<3, 3>},
    {micro_scalar<4, 1>, micro_scalar<4, 2>, micro_scalar<4, 3>}};
constexpr MicroKernel kAvx2[kFilters][kVectors] = {
    {micro_avx2<1, 1>, micro_avx2<1, 2>, micro_avx2<1, 3>},
    {micro_avx2<2, 1>, micro_avx2<2, 2>, micro_avx2<2, 3>},
    {micro_avx2<3, 1>, micro_avx2<3, 2>, micro_avx2<3, 3>},
    {micro_avx2<4, 1>, micro_avx2<4, 2>, micro_avx2<4, 3>}};

MicroKernel micro_kernel(Isa isa, i64 filters, i64 vectors) {
  switch (isa) {
    case Isa::avx512ifma:
    case Isa::avx2:
      return kAvx2[filters - 1][vectors - 1];
    case Isa::scalar:
      break;
  }
  return kScalar[filters - 1][vectors - 1];
}

class DirectPlan : public ConvPlan {
 public:
  DirectPlan(const ConvShape& shape, const float* weight, Isa isa) : s_(shape), isa_(isa) {
    const i64 reach = (s_.out_w - 1) * s_.stride_w + (s_.kernel_w - 1) * s_.dilation_w + 1;
    // A vector may begin at the last output and read 7 lanes past it.
    phase_ = (reach + s_.stride_w - 1) / s_.stride_w + kLanes;
    row_ = phase_ * s_.stride_w;
    const i64 row_bytes = 4 * row_ * s_.channels, reach_h = (s_.kernel_h - 1) * s_.dilation_h + 1;
    const i64 rows = std::max<i64>(kBandBytes / row_bytes - reach_h, 0) / s_.stride_h + 1;
    bands_ = (s_.out_h + std::min(rows, s_.out_h) - 1) / std::min(rows, s_.out_h);
    band_ = (s_.out_h + bands_ - 1) / bands_;
    bands_ = (s_.out_h + band_ - 1) / band_;
    band_rows_ = (band_ - 1) * s_.stride_h + reach_h;
    for (i64 ky = 0; ky < s_.kernel_h; ++ky)
      for (i64 kx = 0; kx < s_.kernel_w; ++kx) {
        const i64 x = kx * s_.dilation_w;
        tap_offsets_.push_back(ky * s_.dilation_h * row_ + x % s_.stride_w * phase_ +
                               x / s_.stride_w);
      }
    pack(weight);
  }

  i64 scratch_bytes() const override { return 4 * s_.channels * band_rows_ * row_; }
  i64 packed_bytes() const override { return 4 * std::ssize(packed_); }

  void run(ThreadPool& pool, const float* x, const float*, const float* bias, float* y,
           std::byte* scratch, i64 scratch_stride) const override {
    pool.run(s_.batch * s_.groups * bands_, [&](i64 task, i64 worker) {
      const i64 image = task / bands_, group = image % s_.groups;  // image counts groups too
      const i64 first = task % bands_ * band_, rows = std::min(band_, s_.out_h - first);
      float* band = reinterpret_cast<float*>(scratch + worker * scratch_stride);
      fill(x + image * s_.channels * s_.in_plane(), first, rows, band);
      multiply(band, group, bias ? bias + group * s_.filters : nullptr, rows,
               y + image * s_.filters * s_.out_plane() + first * s_.out_w);
    });
  }

 private:
  /// [group][block of up to 4 filters][channel][tap][filter in the block]
  void pack(const float* weight) {
    packed_.reserve(size_t(s_.groups * s_.filters * s_.depth()));
    for (i64 g = 0; g < s_.groups; ++g)
      for (i64 o = 0; o < s_.filters; o += kFilters)
        for (i64 i = 0; i < s_.depth(); ++i)
          for (i64 f = o; f < std::min(o + kFilters, s_.filters); ++f)
            packed_.push_back(weight[(g * s_.filters + f) * s_.depth() + i]);
  }

  void fill(const float* x, i64 first, i64 rows, float* band) const {
    const i64 needed = (rows - 1) * s_.stride_h + (s_.kernel_h - 1) * s_.dilation_h + 1;
    const i64 top = first * s_.stride_h - s_.pad_top;
    for (i64 c = 0; c < s_.channels; ++c, x += s_.in_plane())
      for (i64 r = 0; r < needed; ++r) {
        float* to = band + (c * band_rows_ + r) * row_;
        const i64 y = top + r;
        if (y < 0 || y >= s_.in_h)
          std::fill_n(to, row_, 0.f);
        else
          fill_row(x + y * s_.in_w, to);
      }
  }

  void fill_row(const float* x, float* to) const {
    if (s_.stride_w == 1) {
      const i64 count = std::min(s_.in_w, row_ - s_.pad_left);
      std::fill_n(to, s_.pad_left, 0.f);
      std::copy_n(x, count, to + s_.pad_left);
      std::fill_n(to + s_.pad_left + count, row_ - s_.pad_left - count, 0.f);
      return;
    }
    for (i64 phase = 0; phase < s_.stride_w; ++phase, to += phase_) {
      // Element j is x[j * stride + phase - pad]; [low, high) of them are inside.
      const i64 shift = phase - s_.pad_left, stride = s_.stride_w;
      const i64 low = std::min(shift >= 0 ? 0 : (-shift + stride - 1) / stride, phase_);
      const i64 end = s_.in_w <= shift ? 0 : (s_.in_w - shift + stride - 1) / stride;
      const i64 high = std::clamp(end, low, phase_);
      std::fill_n(to, low, 0.f);
      for (i64 j = low; j < high; ++j) to[j] = x[j * stride + shift];
      std::fill_n(to + high, phase_ - high, 0.f);
    }
  }

  void multiply(const float* band, i64 group, const float* bias, i64 rows, float* y) const {
    const i64 per_row = (s_.out_w + kLanes - 1) / kLanes, vectors = rows * per_row;
    const float* weights = packed_.data() + group * s_.filters * s_.depth();
    for (i64 v = 0; v < vectors; v += kVectors) {
      const i64 count = std::min(kVectors, vectors - v);
      i64 bases[kVectors], lengths[kVectors];
      float* outputs[kVectors];
      for (i64 k = 0; k < count; ++k) {
        const i64 row = (v + k) / per_row, column = (v + k) % per_row * kLanes;
        bases[k] = row * s_.stride_h * row_ + column;
        lengths[k] = std::min(kLanes, s_.out_w - column);
        outputs[k] = y + row * s_.out_w + column;
      }
      for (i64 o = 0; o < s_.filters; o += kFilters) {
        const i64 filters = std::min(kFilters, s_.filters - o);
        micro_kernel(isa_, filters,
                     count)({band, tap_offsets_.data(), s_.channels, s_.taps(), band_rows_ * row_,
                             weights + o * s_.depth(), bias ? bias + o : nullptr, bases, outputs,
                             lengths, s_.out_plane()});
        for (i64 k = 0; k < count; ++k) outputs[k] += filters * s_.out_plane();
      }
    }
  }

  ConvShape s_;
  Isa isa_;
  i64 phase_ = 0, row_ = 0;  ///< elements of one phase and of all phases of a row
  i64 bands_ = 1, band_ = 1, band_rows_ = 1;
  std::vector<i64> tap_offsets_;
  std::vector<float> packed_;
};

}  // namespace

std::unique_ptr<ConvPlan> plan_conv_direct(const ConvShape& shape, const float* weight, Isa isa) {
  return std::make_unique<DirectPlan>(shape, weight, isa);
}

}  // namespace sinter
