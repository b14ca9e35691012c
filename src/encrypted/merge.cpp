// SPDX-License-Identifier: Apache-2.0
#include "encrypted/merge.h"

#include <algorithm>
#include <cmath>

#include "encrypted/detail/lowering.h"
#include "encrypted/detail/merge_back.h"

namespace sinter::encrypted {
namespace {

constexpr double kLevelInDiagonals = 64;
constexpr double kMaxProductWork = 4e9;  ///< multiplications in one sparse product
constexpr double kMaxShift = 512;  ///< beyond it a shift in front of a product costs precision
constexpr double kSmallPost = 16;  ///< a constant this small may stay inside a square's result

/// Of a matrix of so many entries; a matrix of equal rows is one row and folds.
double diagonals(i64 nonzeros, i64 rows, i64 cols) {
  return double(nonzeros) / double(std::max<i64>(1, std::max(rows, cols)));
}
double diagonals(const SparseMatrix& m) {
  return has_equal_rows(m) ? 1 : diagonals(m.nonzeros(), m.rows, m.cols);
}

/// Every row belongs to one term: the terms are parallel branches, which will lie side by side.
bool has_disjoint_terms(const Stage& stage) {
  std::vector<bool> taken(size_t(stage.size()), false);
  for (const Term& term : stage.terms)
    for (i64 r = 0; r < term.matrix->rows; ++r) {
      if (term.matrix->row_start[size_t(r)] == term.matrix->row_start[size_t(r) + 1]) continue;
      if (taken[size_t(r)]) return false;
      taken[size_t(r)] = true;
    }
  return true;
}

double weight_of(const Stage& stage) {
  const bool heavy = stage.op == "Conv" || stage.op == "Gemm" || stage.op == "MatMul" ||
                     stage.op == "ConvTranspose";
  double sum = heavy ? 1e12 : 0;
  for (const Term& term : stage.terms) sum += double(term.matrix->nonzeros());
  return sum;
}

/// `stage` takes in what `other` stood for.
void take_name(Stage& stage, const Stage& other, double other_weight, double own_weight) {
  stage.merged += other.merged + 1;
  if (other_weight <= own_weight) return;
  stage.name = other.name;
  stage.op = other.op;
}

void add_term(Stage& stage, i32 value, SparseMatrix m) {
  for (Term& term : stage.terms) {
    if (term.value != value) continue;
    term.matrix = detail::share(add(*term.matrix, m));
    return;
  }
  stage.terms.push_back({value, detail::share(std::move(m))});
}

void add_bias(Stage& stage, const SparseMatrix& m, std::span<const double> v, double sign = 1) {
  if (v.empty()) return;
  std::vector<double> moved(size_t(stage.size()), 0.0);
  apply(m, v, moved);
  stage.bias.resize(size_t(stage.size()), 0.0);
  for (size_t i = 0; i < moved.size(); ++i) stage.bias[i] += sign * moved[i];
}

class Merger {
 public:
  Merger(StageGraph& graph, const MergeOptions& options) : g_(graph), options_(options) {}

  void run() {
    for (bool changed = true; changed;) {
      changed = select() || compose() || detail::absorb_backwards(g_) || absorb() ||
                detail::spread_before_square(g_);
      drop_dead(g_);
    }
    fold_shifts();
    fold_posts();
    drop_dead(g_);
    verify(g_);
  }

 private:
  Stage& stage(i32 k) { return g_.stages[size_t(k)]; }

  bool select() {
    if (!options_.client_selects) return false;
    bool changed = false;
    for (Stage& s : g_.stages) {
      if (s.kind != StageKind::linear || s.terms.size() != 1 || !s.bias.empty()) continue;
      const Stage& from = stage(s.terms[0].value);
      const SparseMatrix& m = *s.terms[0].matrix;
      if (from.kind != StageKind::input || s.size() > options_.max_input || !is_selection(m))
        continue;
      for (i64 r = 0; r < m.rows; ++r) {
        const i64 i = m.row_start[size_t(r)];
        const bool empty = i == m.row_start[size_t(r) + 1];
        s.source.push_back(empty ? -1 : from.source[size_t(m.col[size_t(i)])]);
      }
      s.kind = StageKind::input;
      s.terms.clear();
      changed = true;
    }
    return changed;
  }

  bool compose() {
    bool changed = false;
    for (size_t k = 0; k < g_.stages.size(); ++k) {
      if (g_.stages[k].kind != StageKind::linear) continue;
      const auto readers = readers_of(g_);
      for (size_t t = 0; t < g_.stages[k].terms.size(); ++t) {
        const i32 v = g_.stages[k].terms[t].value;
        if (v == g_.output || !worth_composing(g_.stages[k].terms[t], readers[size_t(v)].size()))
          continue;
        compose_term(g_.stages[k], t);
        changed = true;
        break;
      }
    }
    return changed;
  }

  bool worth_composing(const Term& outer, size_t readers) {
    const Stage& inner = stage(outer.value);
    if (inner.kind != StageKind::linear) return false;
    if (inner.terms.size() == 1 && is_monomial(*inner.terms[0].matrix)) return true;
    if (readers > 1) return false;
    if (is_diagonal(*outer.matrix)) return true;
    const SparseMatrix& a = *outer.matrix;
    double separate = diagonals(a) + kLevelInDiagonals, together = 0;
    i64 nonzeros = 0, cols = 0;
    for (const Term& term : inner.terms) {
      const SparseMatrix& b = *term.matrix;
      double work = 0;
      for (i32 c : a.col) work += double(b.row_start[size_t(c) + 1] - b.row_start[size_t(c)]);
      if (work > kMaxProductWork) return false;
      const SparseMatrix product = multiply(a, b);
      separate += diagonals(b);
      together += diagonals(product);
      nonzeros += product.nonzeros();
      cols += product.cols;
    }
    if (inner.terms.size() > 1 && has_disjoint_terms(inner))
      together = diagonals(nonzeros, a.rows, cols);
    return together <= separate;
  }

  void compose_term(Stage& outer, size_t t) {
    const Term term = outer.terms[t];
    const Stage& inner = stage(term.value);
    const double own = weight_of(outer), other = weight_of(inner);
    outer.terms.erase(outer.terms.begin() + i64(t));
    for (const Term& deep : inner.terms)
      add_term(outer, deep.value, multiply(*term.matrix, *deep.matrix));
    add_bias(outer, *term.matrix, inner.bias);
    outer.is_affine = outer.is_affine || inner.is_affine;
    take_name(outer, inner, other, own);
  }

  /// Products that read a diagonal stage: the shift goes in, the factor comes out behind.
  bool absorb() {
    for (size_t k = 0; k < g_.stages.size(); ++k) {
      Stage& p = g_.stages[k];
      if (p.kind != StageKind::product) continue;
      for (i32 v : {p.x, p.y})
        if (is_movable(v) && fits_product(p, v)) {
          absorb_into_product(i32(k), v);
          return true;
        }
    }
    return false;
  }

  bool is_movable(i32 v) {
    const Stage& s = stage(v);
    if (s.kind != StageKind::linear || s.terms.size() != 1 || v == g_.output) return false;
    const SparseMatrix& m = *s.terms[0].matrix;
    if (!is_diagonal(m) || m.nonzeros() != m.rows) return false;
    return stage(s.terms[0].value).kind != StageKind::linear;
  }

  bool fits_product(const Stage& p, i32 v) {
    const Stage& s = stage(v);
    const std::vector<double>& d = s.terms[0].matrix->value;
    for (const auto& [operand, shift] : {std::pair{p.x, &p.shift_x}, std::pair{p.y, &p.shift_y}}) {
      if (operand != v) continue;
      for (size_t i = 0; i < d.size(); ++i) {
        const double e = (s.bias.empty() ? 0 : s.bias[i]) + (shift->empty() ? 0 : (*shift)[i]);
        if (std::abs(e) > kMaxShift * std::abs(d[i])) return false;
      }
    }
    return true;
  }

  /// p = (d u + e + s) (w + t) + c  becomes  q = (u + (e + s)/d) (w + t),  p = d q + c.
  void absorb_into_product(i32 k, i32 v) {
    const Stage line = stage(v);
    const i32 u = line.terms[0].value;
    const std::vector<double>& d = line.terms[0].matrix->value;
    Stage product = stage(k);
    std::vector<double> factor(d.size(), 1.0);
    const auto rewrite = [&](i32& operand, std::vector<double>& shift) {
      if (operand != v) return;
      shift.resize(d.size(), 0.0);
      for (size_t i = 0; i < d.size(); ++i) {
        shift[i] = (shift[i] + (line.bias.empty() ? 0 : line.bias[i])) / d[i];
        factor[i] *= d[i];
      }
      operand = u;
    };
    rewrite(product.x, product.shift_x);
    rewrite(product.y, product.shift_y);
    Stage behind;
    behind.name = line.is_affine ? line.name : product.name;
    behind.op = line.is_affine ? line.op : product.op;
    behind.is_affine = line.is_affine;
    behind.geometry = product.geometry;
    behind.bias = std::move(product.post);
    behind.terms.push_back({k, detail::share(diagonal(factor))});
    product.post.clear();
    stage(k) = std::move(product);
    insert_behind(g_, k, std::move(behind));
  }

  /// The value v becomes v + s; every reader takes s back.
  void shift_value(i32 v, const std::vector<double>& s) {
    Stage& maker = stage(v);
    std::vector<double>& constant = maker.kind == StageKind::linear ? maker.bias : maker.post;
    constant.resize(s.size(), 0.0);
    for (size_t i = 0; i < s.size(); ++i) constant[i] += s[i];
    const auto take_back = [&](std::vector<double>& shift) {
      shift.resize(s.size(), 0.0);
      bool zero = true;
      for (size_t i = 0; i < s.size(); ++i) zero = (shift[i] -= s[i]) == 0 && zero;
      if (zero) shift.clear();
    };
    for (Stage& reader : g_.stages) {
      for (const Term& term : reader.terms)
        if (term.value == v) add_bias(reader, *term.matrix, s, -1);
      if (reader.kind != StageKind::product) continue;
      if (reader.x == v) take_back(reader.shift_x);
      if (reader.y == v) take_back(reader.shift_y);
    }
  }

  /// A value that no other product reads: taking the shift back costs nothing in linear readers.
  bool may_shift(i32 v, i32 product) {
    if (v == g_.output || stage(v).kind == StageKind::input) return false;
    const auto readers = readers_of(g_);
    for (i32 r : readers[size_t(v)])
      if (r != product && stage(r).kind == StageKind::product) return false;
    return true;
  }

  void fold_shifts() {
    for (size_t k = 0; k < g_.stages.size(); ++k) {
      if (g_.stages[k].kind != StageKind::product) continue;
      for (int side = 0; side < 2; ++side) {
        const Stage& p = g_.stages[k];
        const std::vector<double> s = side == 0 ? p.shift_x : p.shift_y;
        const i32 v = side == 0 ? p.x : p.y;
        if (s.empty() || (side == 1 && p.x == p.y) || !may_shift(v, i32(k))) continue;
        shift_value(v, s);
      }
    }
  }

  /// A small constant behind a product moves into the biases of its readers.
  void fold_posts() {
    const auto readers = readers_of(g_);
    for (size_t k = 0; k < g_.stages.size(); ++k) {
      Stage& p = g_.stages[k];
      if (p.kind != StageKind::product || p.post.empty() || i32(k) == g_.output) continue;
      const bool small = std::all_of(p.post.begin(), p.post.end(),
                                     [](double v) { return std::abs(v) <= kSmallPost; });
      const bool linear = std::all_of(readers[k].begin(), readers[k].end(),
                                      [&](i32 r) { return stage(r).kind == StageKind::linear; });
      if (!small || !linear) continue;
      std::vector<double> minus = p.post;
      for (double& v : minus) v = -v;
      shift_value(i32(k), minus);
      g_.stages[k].post.clear();
    }
  }

  StageGraph& g_;
  const MergeOptions& options_;
};

}  // namespace

void merge(StageGraph& graph, const MergeOptions& options) { Merger(graph, options).run(); }

}  // namespace sinter::encrypted
