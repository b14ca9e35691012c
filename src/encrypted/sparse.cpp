// SPDX-License-Identifier: Apache-2.0
// Products are by rows with a dense accumulator (Gustavson 1978), so the order of additions is
// fixed by the operands.
#include "encrypted/sparse.h"

#include <algorithm>

#include "base/error.h"

namespace sinter::encrypted {

SparseMatrix SparseBuilder::build() {
  SparseMatrix m{rows_, cols_, {0}, {}, {}};
  m.row_start.reserve(size_t(rows_) + 1);
  for (std::vector<Entry>& row : by_row_) {
    std::stable_sort(row.begin(), row.end(),
                     [](const Entry& a, const Entry& b) { return a.col < b.col; });
    for (size_t i = 0; i < row.size();) {
      double sum = 0;
      const i32 col = row[i].col;
      SINTER_ASSERT(col >= 0 && col < cols_);
      for (; i < row.size() && row[i].col == col; ++i) sum += row[i].value;
      if (sum == 0) continue;
      m.col.push_back(col);
      m.value.push_back(sum);
    }
    m.row_start.push_back(m.nonzeros());
    row = {};
  }
  return m;
}

SparseMatrix identity(i64 n, double scale) {
  const std::vector<double> d(size_t(n), scale);
  return diagonal(d);
}

SparseMatrix diagonal(std::span<const double> d) {
  SparseMatrix m{std::ssize(d), std::ssize(d), {0}, {}, {}};
  for (size_t i = 0; i < d.size(); ++i) {
    if (d[i] != 0) m.col.push_back(i32(i)), m.value.push_back(d[i]);
    m.row_start.push_back(m.nonzeros());
  }
  return m;
}

SparseMatrix selection(std::span<const i64> source, i64 cols) {
  SparseMatrix m{std::ssize(source), cols, {0}, {}, {}};
  for (i64 s : source) {
    SINTER_ASSERT(s >= -1 && s < cols);
    if (s >= 0) m.col.push_back(i32(s)), m.value.push_back(1);
    m.row_start.push_back(m.nonzeros());
  }
  return m;
}

SparseMatrix multiply(const SparseMatrix& a, const SparseMatrix& b) {
  SINTER_ASSERT(a.cols == b.rows);
  SparseMatrix m{a.rows, b.cols, {0}, {}, {}};
  std::vector<double> sum(size_t(b.cols), 0.0);
  std::vector<i64> seen(size_t(b.cols), -1);
  std::vector<i32> touched;
  for (i64 r = 0; r < a.rows; ++r) {
    touched.clear();
    for (i64 i = a.row_start[size_t(r)]; i < a.row_start[size_t(r) + 1]; ++i) {
      const i64 k = a.col[size_t(i)];
      const double factor = a.value[size_t(i)];
      for (i64 j = b.row_start[size_t(k)]; j < b.row_start[size_t(k) + 1]; ++j) {
        const i32 c = b.col[size_t(j)];
        if (seen[size_t(c)] != r) {
          seen[size_t(c)] = r;
          sum[size_t(c)] = 0;
          touched.push_back(c);
        }
        sum[size_t(c)] += factor * b.value[size_t(j)];
      }
    }
    std::sort(touched.begin(), touched.end());
    for (i32 c : touched) {
      if (sum[size_t(c)] == 0) continue;
      m.col.push_back(c);
      m.value.push_back(sum[size_t(c)]);
    }
    m.row_start.push_back(m.nonzeros());
  }
  return m;
}

SparseMatrix add(const SparseMatrix& a, const SparseMatrix& b) {
  SINTER_ASSERT(a.rows == b.rows && a.cols == b.cols);
  SparseBuilder sum(a.rows, a.cols);
  add_block(sum, a, 0, 0);
  add_block(sum, b, 0, 0);
  return sum.build();
}

SparseMatrix scale_columns(SparseMatrix m, std::span<const double> d) {
  SINTER_ASSERT(std::ssize(d) == m.cols);
  for (size_t i = 0; i < m.value.size(); ++i) m.value[i] *= d[size_t(m.col[i])];
  return m;
}

void apply(const SparseMatrix& m, std::span<const double> x, std::span<double> sum) {
  SINTER_ASSERT(std::ssize(x) == m.cols && std::ssize(sum) == m.rows);
  for (i64 r = 0; r < m.rows; ++r) {
    double s = 0;
    for (i64 i = m.row_start[size_t(r)]; i < m.row_start[size_t(r) + 1]; ++i)
      s += m.value[size_t(i)] * x[size_t(m.col[size_t(i)])];
    sum[size_t(r)] += s;
  }
}

bool is_monomial(const SparseMatrix& m) {
  for (i64 r = 0; r < m.rows; ++r)
    if (m.row_start[size_t(r) + 1] - m.row_start[size_t(r)] > 1) return false;
  return true;
}

bool is_diagonal(const SparseMatrix& m) {
  if (m.rows != m.cols || !is_monomial(m)) return false;
  for (i64 r = 0; r < m.rows; ++r) {
    const i64 i = m.row_start[size_t(r)];
    if (i < m.row_start[size_t(r) + 1] && m.col[size_t(i)] != r) return false;
  }
  return true;
}

bool is_selection(const SparseMatrix& m) {
  return is_monomial(m) &&
         std::all_of(m.value.begin(), m.value.end(), [](double v) { return v == 1; });
}

bool has_equal_rows(const SparseMatrix& m) {
  if (m.rows < 2 || m.nonzeros() % m.rows != 0) return false;
  const i64 width = m.nonzeros() / m.rows;
  for (i64 i = 0; i < m.nonzeros(); ++i)
    if (m.row_start[size_t(i / width)] != i / width * width ||
        m.col[size_t(i)] != m.col[size_t(i % width)] ||
        m.value[size_t(i)] != m.value[size_t(i % width)])
      return false;
  return true;
}

bool is_identity(const SparseMatrix& m) {
  return m.nonzeros() == m.rows && is_diagonal(m) && is_selection(m);
}

void add_block(SparseBuilder& into, const SparseMatrix& block, i64 row_offset, i64 col_offset) {
  for (i64 r = 0; r < block.rows; ++r)
    for (i64 i = block.row_start[size_t(r)]; i < block.row_start[size_t(r) + 1]; ++i)
      into.add(r + row_offset, block.col[size_t(i)] + col_offset, block.value[size_t(i)]);
}

}  // namespace sinter::encrypted
