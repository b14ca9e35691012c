// SPDX-License-Identifier: Apache-2.0
#include "ckks/dft.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <numeric>

#include "base/error.h"

namespace sinter::ckks {
namespace {

using Complex = std::complex<double>;

/// Written out: the library's product tests for NaN in every call.
Complex product(Complex a, Complex b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

/// The representative in (-n/2, n/2].
i64 signed_index(i64 index, i64 n) {
  const i64 r = ((index % n) + n) % n;
  return r > n / 2 ? r - n : r;
}

std::vector<Complex>& diagonal(DiagonalMatrix& m, i64 index) {
  std::vector<Complex>& d = m.diagonals[signed_index(index, m.slots)];
  d.resize(size_t(m.period));
  return d;
}

/// exp(2 pi i (5^j mod 4 len) / (4 len)) for j < len / 2.
std::vector<Complex> roots(i64 len) {
  std::vector<Complex> out;
  i64 power = 1;
  for (i64 j = 0; j < len / 2; ++j) {
    const long double angle = 2 * std::numbers::pi_v<long double> *
                              static_cast<long double>(power) /
                              (4.0L * static_cast<long double>(len));
    out.emplace_back(double(std::cos(angle)), double(std::sin(angle)));
    power = power * 5 % (4 * len);
  }
  return out;
}

/// (x, y) -> (x + w y, x - w y) in blocks of len.
DiagonalMatrix forward_layer(i64 slots, i64 len) {
  const std::vector<Complex> w = roots(len);
  const i64 half = len / 2;
  DiagonalMatrix m{slots, len, {}};
  for (i64 j = 0; j < half; ++j) {
    diagonal(m, 0)[size_t(j)] += 1.0;
    diagonal(m, half)[size_t(j)] += w[size_t(j)];
    diagonal(m, -half)[size_t(half + j)] += 1.0;
    diagonal(m, 0)[size_t(half + j)] -= w[size_t(j)];
  }
  return m;
}

/// Its inverse: (u, v) -> ((u + v) / 2, (u - v) / (2 w)).
DiagonalMatrix inverse_layer(i64 slots, i64 len) {
  const std::vector<Complex> w = roots(len);
  const i64 half = len / 2;
  DiagonalMatrix m{slots, len, {}};
  for (i64 j = 0; j < half; ++j) {
    const Complex over = 0.5 * std::conj(w[size_t(j)]);
    diagonal(m, 0)[size_t(j)] += 0.5;
    diagonal(m, half)[size_t(j)] += 0.5;
    diagonal(m, -half)[size_t(half + j)] += over;
    diagonal(m, 0)[size_t(half + j)] -= over;
  }
  return m;
}

void check_layers(i64 slots, std::span<const int> layers) {
  require(slots >= 2 && std::has_single_bit(u64(slots)), ErrorKind::bad_argument,
          "dft: expected a power of two of at least 2 slots, found ", slots);
  const int sum = std::accumulate(layers.begin(), layers.end(), 0);
  const bool positive = std::all_of(layers.begin(), layers.end(), [](int l) { return l > 0; });
  require(positive && sum == std::countr_zero(u64(slots)), ErrorKind::bad_argument,
          "dft: expected groups of at least one layer that sum to log2(slots) = ",
          std::countr_zero(u64(slots)), ", found a sum of ", sum);
}

/// The layers of these lengths, applied in this order, grouped as asked.
template <class Layer>
std::vector<DiagonalMatrix> group(i64 slots, std::span<const i64> lengths,
                                  std::span<const int> layers, const Layer& layer) {
  std::vector<DiagonalMatrix> factors;
  size_t next = 0;
  for (int count : layers) {
    DiagonalMatrix merged = layer(slots, lengths[next++]);
    for (int i = 1; i < count; ++i) merged = compose(layer(slots, lengths[next++]), merged);
    factors.push_back(std::move(merged));
  }
  return factors;
}

std::vector<i64> ascending_lengths(i64 slots) {
  std::vector<i64> lengths;
  for (i64 len = 2; len <= slots; len *= 2) lengths.push_back(len);
  return lengths;
}

/// The same diagonals written out over a longer period.
void lengthen(DiagonalMatrix& m, i64 period) {
  require(period % m.period == 0, ErrorKind::bad_argument,
          "dft: expected a multiple of the period ", m.period, ", found ", period);
  for (auto& [index, d] : m.diagonals) {
    d.resize(size_t(period));
    for (i64 s = m.period; s < period; ++s) d[size_t(s)] = d[size_t(s - m.period)];
  }
  m.period = period;
}

}  // namespace

std::vector<Complex> DiagonalMatrix::operator()(std::span<const Complex> in) const {
  const i64 n = std::ssize(in);
  std::vector<Complex> out(in.size());
  for (const auto& [index, d] : diagonals)
    for (i64 s = 0; s < n; ++s)
      out[size_t(s)] += product(d[size_t(s % period)], in[size_t((s + index + n) % n)]);
  return out;
}

DiagonalMatrix compose(const DiagonalMatrix& after, const DiagonalMatrix& before) {
  require(after.slots == before.slots, ErrorKind::bad_argument, "dft: expected maps of ",
          after.slots, " slots each, found ", before.slots);
  DiagonalMatrix out{after.slots, std::max(after.period, before.period), {}};
  for (const auto& [i, a] : after.diagonals)
    for (const auto& [j, b] : before.diagonals) {
      std::vector<Complex>& sum = diagonal(out, i + j);
      for (i64 s = 0; s < out.period; ++s) {
        const i64 from = ((s + i) % before.period + before.period) % before.period;
        sum[size_t(s)] += product(a[size_t(s % after.period)], b[size_t(from)]);
      }
    }
  std::erase_if(out.diagonals, [](const auto& entry) {
    return std::all_of(entry.second.begin(), entry.second.end(),
                       [](Complex v) { return v == Complex(0); });
  });
  return out;
}

void scale_by(DiagonalMatrix& matrix, Complex factor) {
  for (auto& [index, d] : matrix.diagonals)
    for (Complex& v : d) v = product(v, factor);
}

void multiply_output(DiagonalMatrix& matrix, std::span<const Complex> factors) {
  lengthen(matrix, std::ssize(factors));
  for (auto& [index, d] : matrix.diagonals)
    for (size_t s = 0; s < d.size(); ++s) d[s] = product(d[s], factors[s]);
}

void multiply_input(DiagonalMatrix& matrix, std::span<const Complex> factors) {
  lengthen(matrix, std::ssize(factors));
  const i64 p = matrix.period;
  for (auto& [index, d] : matrix.diagonals)
    for (i64 s = 0; s < p; ++s)
      d[size_t(s)] = product(d[size_t(s)], factors[size_t(((s + index) % p + p) % p)]);
}

std::vector<DiagonalMatrix> coefficients_to_slots(i64 slots, std::span<const int> layers) {
  check_layers(slots, layers);
  std::vector<i64> lengths = ascending_lengths(slots);
  std::reverse(lengths.begin(), lengths.end());
  return group(slots, lengths, layers, inverse_layer);
}

std::vector<DiagonalMatrix> slots_to_coefficients(i64 slots, std::span<const int> layers) {
  check_layers(slots, layers);
  return group(slots, ascending_lengths(slots), layers, forward_layer);
}

std::vector<int> split_layers(i64 slots, int factors) {
  const int layers = std::countr_zero(u64(slots));
  require(factors >= 1 && layers >= factors, ErrorKind::bad_argument, "dft: expected at least 2^",
          factors, " slots for ", factors, " factors, found ", slots);
  std::vector<int> out(size_t(factors), layers / factors);
  for (int i = 0; i < layers % factors; ++i) ++out[size_t(i)];
  return out;
}

}  // namespace sinter::ckks
