// SPDX-License-Identifier: Apache-2.0
// A dense 512 x 512 matrix times a vector: 512 diagonals of period 512, the vector repeated over
// all slots, so that the diagonals are encoded in the subring of degree 1024.
#include "base/random.h"
#include "ckks/linear.h"
#include "ckks/rows.h"

namespace sinter::bench {
namespace {

constexpr i64 kSize = 512;

struct Matrix {
  std::vector<double> entries = std::vector<double>(size_t(kSize * kSize));
  Matrix() {
    Rng random(11);
    for (double& v : entries) v = random.uniform(-1, 1);
  }
  /// d_i[s] = M[s][(s + i) mod 512]
  void diagonal(i64 index, std::span<double> out) const {
    for (i64 s = 0; s < kSize; ++s)
      out[size_t(s)] = entries[size_t(s * kSize + (s + index) % kSize)];
  }
  std::vector<double> times(const std::vector<double>& x) const {
    std::vector<double> y(x.size(), 0);
    for (size_t s = 0; s < y.size(); ++s)
      for (size_t t = 0; t < size_t(kSize); ++t) y[s] += entries[s % kSize * kSize + t] * x[t];
    return y;
  }
};

}  // namespace

std::vector<Row> matrix_rows() {
  const int log_n = 16;
  std::vector<i64> indices;
  for (i64 i = 0; i < kSize; ++i) indices.push_back(i);
  const ckks::LinearPlan plan = ckks::plan_linear(indices, i64(1) << (log_n - 1));
  const auto s = std::make_shared<Setup>(log_n, 11, 3, plan.rotations, false);
  for (size_t i = 0; i < s->values.size(); ++i) s->values[i] = s->values[i % kSize];
  s->encrypt_values();
  const auto matrix = std::make_shared<Matrix>();
  const ckks::DiagonalSource source{
      [matrix](i64 index, std::span<double> out) { matrix->diagonal(index, out); }, kSize};
  const double scale = double(s->c().params().q(s->c().max_level()));
  const auto ahead = std::make_shared<ckks::EncodedDiagonals>(
      encode_diagonals(s->c(), plan, source, scale, s->c().max_level(), s->pool));

  const auto ahead_of_time = [=](ThreadPool& pool) {
    return apply_linear(s->c(), plan, *ahead, s->x, s->keys, pool);
  };
  const auto on_the_fly = [=](ThreadPool& pool) {
    return apply_linear(s->c(), plan, source, scale, s->x, s->keys, pool);
  };
  const std::vector<double> expected = matrix->times(s->values);
  const std::string parameters =
      s->parameters + ", " + std::to_string(plan.rotations.size()) + " keys";
  std::vector<Row> rows;
  rows.push_back({.name = "matrix_ahead",
                  .operation = "512x512 matrix-vector, diagonals ahead",
                  .parameters = parameters,
                  .run = ahead_of_time,
                  .two_threads = true,
                  .precision = [=] { return s->precision(ahead_of_time(s->pool), expected); }});
  rows.push_back({.name = "matrix_on_the_fly",
                  .operation = "512x512 matrix-vector, on the fly",
                  .parameters = parameters,
                  .run = on_the_fly});
  return rows;
}

}  // namespace sinter::bench
