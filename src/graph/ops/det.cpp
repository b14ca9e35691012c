// SPDX-License-Identifier: Apache-2.0
// Det: determinants of the square matrices in the last two axes, by Gaussian elimination with
// partial pivoting. The determinant of a matrix without elements is 1.
#include <cmath>
#include <vector>

#include "graph/ops/detail/common.h"

namespace sinter {

using namespace detail;

namespace {

template <class T>
T determinant(std::vector<T> m, size_t n) {
  T result = 1;
  for (size_t k = 0; k < n; ++k) {
    size_t pivot = k;
    for (size_t r = k + 1; r < n; ++r)
      if (std::fabs(m[r * n + k]) > std::fabs(m[pivot * n + k])) pivot = r;
    if (m[pivot * n + k] == T(0)) return T(0);
    if (pivot != k) {
      std::swap_ranges(&m[k * n], &m[k * n] + n, &m[pivot * n]);
      result = -result;
    }
    result *= m[k * n + k];
    for (size_t r = k + 1; r < n; ++r) {
      const T factor = m[r * n + k] / m[k * n + k];
      for (size_t c = k; c < n; ++c) m[r * n + c] -= factor * m[k * n + c];
    }
  }
  return result;
}

}  // namespace

void infer_Det(InferContext& ctx) {
  expect_float(ctx, 0);
  const Shape* x = ctx.shape(0);
  if (!x) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  const size_t rank = x->size();
  ctx.check(rank >= 2, "input 0: expected matrices, found shape ", to_text(*x));
  const Dim &rows = x->at(rank - 2), &columns = x->at(rank - 1);
  ctx.check(!rows.value() || !columns.value() || same(rows, columns),
            "input 0: expected square matrices, found shape ", to_text(*x));
  set_output(ctx, 0, ctx.input(0).dtype, Shape(x->begin(), x->end() - 2));
}

std::vector<Tensor> evaluate_Det(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    const Tensor& x = c.in(0);
    Tensor out(x.dtype(), output_dims(c, infer_Det)[0]);
    const size_t n = size_t(x.dim(x.rank() - 1));
    for_float(x.dtype(), c.node, [&](auto t) {
      using T = decltype(t);
      const std::span<const T> from = x.data<T>();
      const std::span<T> to = out.mutable_data<T>();
      for (size_t i = 0; i < to.size(); ++i) {
        const auto matrix = from.subspan(i * n * n, n * n);
        to[i] = determinant(std::vector<T>(matrix.begin(), matrix.end()), n);
      }
    });
    return one(std::move(out));
  });
}

}  // namespace sinter
