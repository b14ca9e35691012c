// SPDX-License-Identifier: Apache-2.0
// MatMul and Gemm: sums over k in ascending order, one accumulator per output element.
#include "graph/ops/detail/mover.h"
#include "graph/ops/detail/products.h"

namespace sinter {

using namespace detail;

void infer_Gemm(InferContext&);
void infer_MatMul(InferContext&);

namespace {

void expect_matrix_type(const InferContext& ctx) {
  const DType type = ctx.input(0).dtype;
  ctx.check(is_float(type) || type == DType::i32 || type == DType::i64 || type == DType::u32 ||
                type == DType::u64,
            "input 0: expected a float or 32- or 64-bit integer element type, found ", name(type));
}

void check_inner(const InferContext& ctx, const Dim& a, const Dim& b, const Shape& shape_a,
                 const Shape& shape_b) {
  ctx.check(!differ(a, b), "inner sizes differ: ", a.text(), " and ", b.text(), " (shapes ",
            to_text(shape_a), " and ", to_text(shape_b), ")");
}

/// A matrix in memory: element (row, column) is data[row * row_step + column * column_step].
template <class T>
struct Matrix {
  const T* data;
  i64 row_step, column_step;
};

/// y[rows, columns] += a * b; b and y dense.
template <class T>
void accumulate(Matrix<T> a, const T* b, i64 rows, i64 inner, i64 columns, T* y) {
  for (i64 i = 0; i < rows; ++i)
    for (i64 k = 0; k < inner; ++k) {
      const T left = a.data[i * a.row_step + k * a.column_step];
      const T* right = b + k * columns;
      T* to = y + i * columns;
      for (i64 j = 0; j < columns; ++j) to[j] = add(to[j], multiply(left, right[j]));
    }
}

template <class T>
T scaled(float factor, T v) {
  if (factor == 1.f) return v;
  if constexpr (std::is_floating_point_v<T>)
    return T(factor) * v;
  else
    return T(i64(double(factor) * double(v)));
}

std::vector<Tensor> gemm(const EvalContext& ctx) {
  const Tensor &a = ctx.in(0), &b = ctx.in(1);
  Tensor out(a.dtype(), output_dims(ctx, infer_Gemm)[0]);
  const bool turn_a = ctx.attributes.integer("transA", 0) != 0;
  const bool turn_b = ctx.attributes.integer("transB", 0) != 0;
  const float alpha = ctx.attributes.real("alpha", 1.f), beta = ctx.attributes.real("beta", 1.f);
  for_number(a.dtype(), "Gemm", [&](auto t) {
    using T = decltype(t);
    const Matrix<T> left = {a.data<T>().data(), turn_a ? 1 : a.dim(1), turn_a ? a.dim(1) : 1};
    // A turned b is laid out row by row first, so that the inner loop stays contiguous.
    std::optional<Tensor> turned;
    if (turn_b) {
      turned.emplace(b.dtype(), Dims{b.dim(1), b.dim(0)});
      copy_strided(b, 0, {1, b.dim(1)}, *turned);
    }
    const T* right = (turn_b ? *turned : b).template data<T>().data();
    T* y = out.template mutable_data<T>().data();
    accumulate<T>(left, right, out.dim(0), a.dim(turn_a ? 0 : 1), out.dim(1), y);
    for (i64 i = 0; i < out.size(); ++i) y[i] = scaled(alpha, y[i]);
    if (!ctx.has(2)) return;
    const T* c = ctx.in(2).data<T>().data();
    for_each_row<1>(out.dims(), {&ctx.in(2).dims()},
                    [&](i64 at, i64 count, const auto& offsets, const auto& steps) {
                      for (i64 i = 0; i < count; ++i)
                        y[at + i] = add(y[at + i], scaled(beta, c[offsets[0] + i * steps[0]]));
                    });
  });
  return one(std::move(out));
}

}  // namespace

std::optional<Shape> detail::matmul_shape(const InferContext& ctx, i64 left, i64 right) {
  const Shape *a = ctx.shape(left), *b = ctx.shape(right);
  ctx.check((!a || !a->empty()) && (!b || !b->empty()), "expected rank 1 or more, found a scalar");
  if (!a || !b) return std::nullopt;
  const bool a_vector = a->size() == 1, b_vector = b->size() == 1;
  check_inner(ctx, a->back(), b_vector ? b->at(0) : b->at(b->size() - 2), *a, *b);
  Shape out = broadcast_shapes(ctx, Shape(a->begin(), a->end() - (a_vector ? 1 : 2)),
                               Shape(b->begin(), b->end() - (b_vector ? 1 : 2)));
  if (!a_vector) out.push_back(a->at(a->size() - 2));
  if (!b_vector) out.push_back(b->back());
  return out;
}

Tensor detail::matmul(const Tensor& a, const Tensor& b, const Dims& dims) {
  Tensor out(a.dtype(), dims);
  const bool a_vector = a.rank() == 1, b_vector = b.rank() == 1;
  const i64 rows = a_vector ? 1 : a.dim(a.rank() - 2), inner = a.dim(a.rank() - 1);
  const i64 columns = b_vector ? 1 : b.dim(b.rank() - 1);
  // The leading axes broadcast; one step there is one matrix.
  const Dims a_batch(a.dims().begin(), a.dims().end() - (a_vector ? 1 : 2));
  const Dims b_batch(b.dims().begin(), b.dims().end() - (b_vector ? 1 : 2));
  const Dims batch(dims.begin(), dims.end() - (a_vector ? 0 : 1) - (b_vector ? 0 : 1));
  for_number(a.dtype(), "MatMul", [&](auto t) {
    using T = decltype(t);
    const T *x = a.data<T>().data(), *w = b.data<T>().data();
    T* y = out.template mutable_data<T>().data();
    for_each_row<2>(batch, {&a_batch, &b_batch},
                    [&](i64 at, i64 count, const auto& offsets, const auto& steps) {
                      for (i64 i = 0; i < count; ++i) {
                        const T* left = x + (offsets[0] + i * steps[0]) * rows * inner;
                        const T* right = w + (offsets[1] + i * steps[1]) * inner * columns;
                        accumulate<T>({left, inner, 1}, right, rows, inner, columns,
                                      y + (at + i) * rows * columns);
                      }
                    });
  });
  return out;
}

void infer_Gemm(InferContext& ctx) {
  expect_matrix_type(ctx);
  expect_same_type(ctx, 0, ctx.input_count() - 1);
  const Shape *a = ctx.shape(0), *b = ctx.shape(1), *c = ctx.shape(2);
  ctx.check(!a || a->size() == 2, "input 0: expected rank 2, found ", a ? to_text(*a) : "");
  ctx.check(!b || b->size() == 2, "input 1: expected rank 2, found ", b ? to_text(*b) : "");
  const size_t turn_a = ctx.attributes().integer("transA", 0) != 0;
  const size_t turn_b = ctx.attributes().integer("transB", 0) != 0;
  if (a && b) check_inner(ctx, a->at(1 - turn_a), b->at(turn_b), *a, *b);
  Shape out = {a ? a->at(turn_a) : Dim::unknown(), b ? b->at(1 - turn_b) : Dim::unknown()};
  if (c) {
    const Shape both = broadcast_shapes(ctx, out, *c);
    bool fits = both.size() == 2;
    for (size_t i = 0; fits && i < 2; ++i)
      fits = !out[i].value() || !both[i].value() || same(out[i], both[i]);
    ctx.check(fits, "input 2: shape ", to_text(*c), " does not broadcast to ", to_text(out));
  }
  set_output(ctx, 0, ctx.input(0).dtype, std::move(out));
}

void infer_MatMul(InferContext& ctx) {
  expect_matrix_type(ctx);
  expect_same_type(ctx, 0, 1);
  set_output(ctx, 0, ctx.input(0).dtype, matmul_shape(ctx, 0, 1));
}

std::vector<Tensor> evaluate_Gemm(const EvalContext& ctx) { return through_float(ctx, gemm); }
std::vector<Tensor> evaluate_MatMul(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    return one(matmul(c.in(0), c.in(1), output_dims(c, infer_MatMul)[0]));
  });
}

}  // namespace sinter
