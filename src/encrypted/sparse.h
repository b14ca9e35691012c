// SPDX-License-Identifier: Apache-2.0
// Sparse matrices of doubles in compressed rows: the linear parts of a network in the coordinates
// of its tensors (row-major element numbers, batch dimension 1).
#pragma once
#include <span>
#include <vector>

#include "base/types.h"

namespace sinter::encrypted {

/// Columns ascend inside a row; no column twice; stored zeros are allowed but not made here.
struct SparseMatrix {
  i64 rows = 0, cols = 0;
  std::vector<i64> row_start;  ///< rows + 1 entries
  std::vector<i32> col;
  std::vector<double> value;

  i64 nonzeros() const { return std::ssize(col); }
  bool operator==(const SparseMatrix&) const = default;
};

/// Collects entries in any order; equal places add up. thread: owned by one.
class SparseBuilder {
 public:
  SparseBuilder(i64 rows, i64 cols) : rows_(rows), cols_(cols), by_row_(size_t(rows)) {}
  void add(i64 row, i64 col, double value) { by_row_[size_t(row)].push_back({i32(col), value}); }
  /// Sums duplicates, drops zeros. Leaves the builder empty.
  SparseMatrix build();

 private:
  struct Entry {
    i32 col;
    double value;
  };
  i64 rows_, cols_;
  std::vector<std::vector<Entry>> by_row_;
};

SparseMatrix identity(i64 n, double scale = 1);
SparseMatrix diagonal(std::span<const double> d);
/// Row r holds one 1 in column source[r], or nothing where that is -1.
SparseMatrix selection(std::span<const i64> source, i64 cols);

/// a * b; throws Error(internal) when the sizes do not fit.
SparseMatrix multiply(const SparseMatrix& a, const SparseMatrix& b);
SparseMatrix add(const SparseMatrix& a, const SparseMatrix& b);
/// m * diag(d).
SparseMatrix scale_columns(SparseMatrix m, std::span<const double> d);
/// sum += m x.
void apply(const SparseMatrix& m, std::span<const double> x, std::span<double> sum);

/// Square with entries on the diagonal only.
bool is_diagonal(const SparseMatrix& m);
/// At most one entry a row.
bool is_monomial(const SparseMatrix& m);
/// Monomial with every entry 1.
bool is_selection(const SparseMatrix& m);
/// More than one row, all equal.
bool has_equal_rows(const SparseMatrix& m);
/// The identity matrix.
bool is_identity(const SparseMatrix& m);

/// Stacks `block` into `into` with its rows and columns shifted.
void add_block(SparseBuilder& into, const SparseMatrix& block, i64 row_offset, i64 col_offset);

}  // namespace sinter::encrypted
