// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/gemm.h"

#include <cblas.h>

#include <algorithm>
#include <limits>

#include "runtime/kernels/broadcast.h"

namespace sinter {
namespace {

// Tiles large enough that packing them is small beside multiplying them.
constexpr i64 kTileRows = 128, kTileColumns = 512;

void use_one_blas_thread() {
  static const bool done = [] {
    openblas_set_num_threads(1);
    return true;
  }();
  (void)done;
}

bool fits_blas(std::initializer_list<i64> sizes) {
  return std::all_of(sizes.begin(), sizes.end(),
                     [](i64 n) { return n >= 1 && n <= std::numeric_limits<int>::max(); });
}

const float* at(MatrixView m, i64 row, i64 column) {
  return m.data + (m.transposed ? column * m.step + row : row * m.step + column);
}

/// y = alpha * a b + beta * y for one row or one column: a matrix-vector product.
void sgemv(MatrixView m, bool turn, i64 rows, i64 columns, float alpha, const float* x, i64 x_step,
           float beta, float* y, i64 y_step) {
  const bool transposed = m.transposed != turn;
  if (beta == 0.f) {  // whether 0 * NaN clears what was there differs between BLAS versions
    const i64 count = turn ? columns : rows;
    for (i64 i = 0; i < count; ++i) y[i * y_step] = 0.f;
    beta = 1.f;
  }
  // cblas takes the sizes of the matrix in memory.
  const i64 stored_rows = m.transposed ? columns : rows,
            stored_columns = m.transposed ? rows : columns;
  cblas_sgemv(CblasRowMajor, transposed ? CblasTrans : CblasNoTrans, int(stored_rows),
              int(stored_columns), alpha, m.data, int(m.step), x, int(x_step), beta, y,
              int(y_step));
}

}  // namespace

void sgemm(i64 rows, i64 columns, i64 inner, float alpha, MatrixView a, MatrixView b, float beta,
           float* y, i64 y_step) {
  use_one_blas_thread();
  if (rows == 1)  // y = b^T a
    return sgemv(b, true, inner, columns, alpha, a.data, a.transposed ? a.step : 1, beta, y, 1);
  if (columns == 1)
    return sgemv(a, false, rows, inner, alpha, b.data, b.transposed ? 1 : b.step, beta, y, y_step);
  cblas_sgemm(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
              b.transposed ? CblasTrans : CblasNoTrans, int(rows), int(columns), int(inner), alpha,
              a.data, int(a.step), b.data, int(b.step), beta, y, int(y_step));
}

void gemm_f32(ThreadPool& pool, i64 rows, i64 columns, i64 inner, float alpha, MatrixView a,
              MatrixView b, float beta, float* y, i64 y_step) {
  const i64 row_tiles = (rows + kTileRows - 1) / kTileRows;
  const i64 column_tiles = (columns + kTileColumns - 1) / kTileColumns;
  pool.run(row_tiles * column_tiles, [&](i64 tile, i64) {
    const i64 r = tile / column_tiles * kTileRows, c = tile % column_tiles * kTileColumns;
    sgemm(std::min(kTileRows, rows - r), std::min(kTileColumns, columns - c), inner, alpha,
          {at(a, r, 0), a.step, a.transposed}, {at(b, 0, c), b.step, b.transposed}, beta,
          y + r * y_step + c, y_step);
  });
}

PreparedKernel prepare_gemm(const KernelSite& site) {
  if (!site.all(DType::f32)) return {};
  const Dims &a = site.in(0), &b = site.in(1), y = site.out();
  const bool turn_a = site.attributes().integer("transA", 0) != 0;
  const bool turn_b = site.attributes().integer("transB", 0) != 0;
  const float alpha = site.attributes().real("alpha", 1.f);
  const float beta = site.has(2) ? site.attributes().real("beta", 1.f) : 0.f;
  const i64 rows = y[0], columns = y[1], inner = a[turn_a ? 0 : 1];
  const i64 a_step = a[1], b_step = b[1];
  if (!fits_blas({rows, columns, inner, a_step, b_step})) return {};
  BroadcastLoop spread;
  if (site.has(2)) spread = broadcast_loop(y, {site.in(2)});
  const bool has_c = site.has(2);
  return {[=](const KernelArgs& args) {
    if (has_c)
      for_each_run(spread, [&](i64 to, const std::array<i64, 3>& from) {
        const float* c = args.in(2) + from[0];
        if (spread.inner_steps[0] == 0)
          std::fill_n(args.out() + to, spread.inner, *c);
        else
          std::copy_n(c, spread.inner, args.out() + to);
      });
    gemm_f32(args.pool, rows, columns, inner, alpha, {args.in(0), a_step, turn_a},
             {args.in(1), b_step, turn_b}, beta, args.out(), columns);
  }};
}

PreparedKernel prepare_matmul(const KernelSite& site) {
  if (!site.all(DType::f32)) return {};
  Dims a = site.in(0), b = site.in(1), y = site.out();
  if (a.size() == 1) a.insert(a.begin(), 1), y.insert(y.end() - (b.size() > 1 ? 1 : 0), 1);
  if (b.size() == 1) b.push_back(1), y.push_back(1);
  const i64 rows = a[a.size() - 2], inner = a.back(), columns = b.back();
  if (!fits_blas({rows, columns, inner})) return {};
  const Dims batch(y.begin(), y.end() - 2), a_batch(a.begin(), a.end() - 2),
      b_batch(b.begin(), b.end() - 2);
  // With one matrix on the right, the batch of the left is more rows of one product.
  if (element_count(b_batch) == 1 && fits_blas({rows * element_count(batch)})) {
    const i64 all_rows = rows * element_count(batch);
    return {[=](const KernelArgs& args) {
      gemm_f32(args.pool, all_rows, columns, inner, 1.f, {args.in(0), inner}, {args.in(1), columns},
               0.f, args.out(), columns);
    }};
  }
  std::vector<std::array<i64, 2>> starts;  // of a and b for each matrix of y, in matrices
  const BroadcastLoop loop = broadcast_loop(batch, {a_batch, b_batch});
  for_each_run(loop, [&](i64, const std::array<i64, 3>& from) {
    for (i64 i = 0; i < loop.inner; ++i)
      starts.push_back({from[0] + i * loop.inner_steps[0], from[1] + i * loop.inner_steps[1]});
  });
  return {[=](const KernelArgs& args) {
    args.pool.run(std::ssize(starts), [&](i64 i, i64) {
      const std::array<i64, 2>& start = starts[size_t(i)];
      gemm_f32(args.pool, rows, columns, inner, 1.f, {args.in(0) + start[0] * rows * inner, inner},
               {args.in(1) + start[1] * inner * columns, columns}, 0.f,
               args.out() + i * rows * columns, columns);
    });
  }};
}

}  // namespace sinter
