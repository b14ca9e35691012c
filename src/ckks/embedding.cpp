// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <cmath>
#include <numbers>
#include <utility>

#include "base/error.h"
#include "ckks/detail/embedding.h"

namespace sinter::ckks {
namespace {

/// Written out: the library's product of complex numbers tests for NaN in every call.
std::complex<double> product(std::complex<double> a, std::complex<double> b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

void reverse_order(std::span<std::complex<double>> values) {
  const size_t n = values.size();
  for (size_t i = 1, j = 0; i < n; ++i) {
    size_t bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) std::swap(values[i], values[j]);
  }
}

void up_plain(const std::complex<double>* roots, std::complex<double>* values, i64 n) {
  for (i64 half = 1; 2 * half <= n; half *= 2)
    for (i64 i = 0; i < n; i += 2 * half) {
      std::complex<double>*x = values + i, *y = x + half;
      for (i64 j = 0; j < half; ++j) {
        const std::complex<double> u = x[j], v = product(y[j], roots[half + j]);
        x[j] = u + v;
        y[j] = u - v;
      }
    }
}

void down_plain(const std::complex<double>* roots, std::complex<double>* values, i64 n) {
  for (i64 half = n / 2; half >= 1; half /= 2)
    for (i64 i = 0; i < n; i += 2 * half) {
      std::complex<double>*x = values + i, *y = x + half;
      for (i64 j = 0; j < half; ++j) {
        const std::complex<double> u = x[j] + y[j], v = x[j] - y[j];
        x[j] = u;
        y[j] = product(v, std::conj(roots[half + j]));
      }
    }
}

}  // namespace

EmbeddingTables::EmbeddingTables(i64 slots) : roots_(static_cast<size_t>(slots)) {
  SINTER_ASSERT(slots >= 1 && std::has_single_bit(u64(slots)));
  for (i64 len = 2; len <= slots; len *= 2) {
    i64 power = 1;  // 5^j mod 4 len
    for (i64 j = 0; j < len / 2; ++j) {
      const long double angle =
          2 * std::numbers::pi_v<long double> * static_cast<long double>(power) / (4.0L * len);
      roots_[size_t(len / 2 + j)] = {double(std::cos(angle)), double(std::sin(angle))};
      power = power * 5 % (4 * len);
    }
  }
}

void EmbeddingTables::to_slots(std::span<std::complex<double>> values, Isa isa) const {
  const i64 n = std::ssize(values);
  SINTER_ASSERT(n <= std::ssize(roots_) && std::has_single_bit(u64(n)));
  reverse_order(values);
  (isa >= Isa::avx2 ? embedding_up_avx2 : up_plain)(roots_.data(), values.data(), n);
}

void EmbeddingTables::from_slots(std::span<std::complex<double>> values, Isa isa) const {
  const i64 n = std::ssize(values);
  SINTER_ASSERT(n <= std::ssize(roots_) && std::has_single_bit(u64(n)));
  (isa >= Isa::avx2 ? embedding_down_avx2 : down_plain)(roots_.data(), values.data(), n);
  reverse_order(values);
  const double scale = 1.0 / double(n);
  for (std::complex<double>& v : values) v *= scale;
}

}  // namespace sinter::ckks
