// SPDX-License-Identifier: Apache-2.0
// Operations on one ciphertext with 24 primes, and the encoding of its plaintext.
#include <cmath>

#include "ckks/encoder.h"
#include "ckks/evaluate.h"
#include "ckks/polynomial.h"
#include "ckks/rows.h"

namespace sinter::bench {
namespace {

/// A series with neither even nor odd terms missing.
Row chebyshev_row(const std::shared_ptr<Setup>& s) {
  const auto series = std::make_shared<ckks::ChebyshevSeries>(
      ckks::chebyshev_fit([](double v) { return std::exp(v) * std::sin(12 * v); }, -1, 1, 31));
  return {
      .name = "chebyshev_15",
      .operation = "Chebyshev series of degree 31",
      .parameters = s->parameters,
      .run = [=](ThreadPool& pool) { evaluate_chebyshev(s->c(), s->x, *series, 0, s->keys, pool); },
      .precision =
          [=] {
            std::vector<double> expected;
            for (double v : s->values) expected.push_back(chebyshev_value(*series, v));
            return s->precision(evaluate_chebyshev(s->c(), s->x, *series, 0, s->keys, s->pool),
                                expected);
          }};
}

}  // namespace

std::vector<Row> operation_rows(int log_n) {
  const std::vector<i64> eight = {1, 2, 3, 4, 5, 6, 7, 8};
  const auto s = std::make_shared<Setup>(log_n, 24, 5, eight, true);
  const std::string size = "_" + std::to_string(log_n);
  std::vector<Row> rows;
  const auto add = [&](const std::string& name, const std::string& operation, bool two_threads,
                       const std::function<void(ThreadPool&)>& run) {
    rows.push_back({.name = name + size,
                    .operation = operation,
                    .parameters = s->parameters,
                    .run = run,
                    .two_threads = two_threads});
  };
  add("rotate", "rotation", true,
      [s](ThreadPool& pool) { rotate(s->c(), s->x, 1, s->keys, pool); });
  add("multiply", "multiply + relinearise", false,
      [s](ThreadPool& pool) { multiply_relinearise(s->c(), s->x, s->x, s->keys, pool); });
  add("hoisted", "8 hoisted rotations", false,
      [s, eight](ThreadPool& pool) { rotate_hoisted(s->c(), s->x, eight, s->keys, pool); });
  add("rescale", "rescale by one prime", false,
      [s](ThreadPool& pool) { rescale(s->c(), s->x, pool); });
  add("encode", "encode 2^" + std::to_string(log_n - 1) + " values", false, [s](ThreadPool&) {
    encode(s->c(), s->values, s->c().params().scale(), s->c().max_level(), ckks::Basis::q);
  });
  if (log_n == 15) rows.push_back(chebyshev_row(s));
  return rows;
}

}  // namespace sinter::bench
