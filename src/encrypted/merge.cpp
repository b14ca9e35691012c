// SPDX-License-Identifier: Apache-2.0
#include "encrypted/merge.h"

#include <algorithm>
#include <cmath>

#include "encrypted/detail/lowering.h"
#include "encrypted/detail/merge_back.h"
#include "encrypted/detail/merge_cost.h"
#include "encrypted/detail/merge_shift.h"
#include "encrypted/detail/merge_sum.h"
#include "encrypted/levels.h"

namespace sinter::encrypted {
namespace {

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

class Merger {
 public:
  Merger(StageGraph& graph, const MergeOptions& options)
      : g_(graph), options_(options), cost_(graph), depth_(unmerged_depth(graph)) {}

  void run() {
    for (bool changed = true; changed;) {
      changed = select() || compose() || back() || absorb() || spread();
      drop_dead(g_);
    }
    for (std::vector<std::string> names; !(names = detail::sum_over_slots(g_)).empty();) {
      record("sum", std::move(names));
      drop_dead(g_);
    }
    detail::fold_shifts(g_);
    detail::fold_posts(g_);
    drop_dead(g_);
    verify(g_);
  }

 private:
  Stage& stage(i32 k) { return g_.stages[size_t(k)]; }

  /// Every rewrite ends here.
  void record(std::string rule, std::vector<std::string> names) {
    const int depth = unmerged_depth(g_);
    g_.merges.push_back({std::move(rule), std::move(names), 1, depth_ - depth});
    depth_ = depth;
  }

  bool back() {
    std::vector<std::string> names = detail::absorb_backwards(g_);
    if (names.empty()) return false;
    record("back", std::move(names));
    return true;
  }

  bool spread() {
    std::vector<std::string> names = detail::spread_before_square(g_);
    if (names.empty()) return false;
    record("spread", std::move(names));
    return true;
  }

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
      record("select", {s.name});
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
        const Term& term = g_.stages[k].terms[t];
        if (term.value == g_.output) continue;
        auto products = cost_.products(g_, term, readers[size_t(term.value)].size());
        if (!products) continue;
        compose_term(g_.stages[k], t, std::move(*products));
        changed = true;
        break;
      }
    }
    return changed;
  }

  void compose_term(Stage& outer, size_t t, std::vector<SparseMatrix> products) {
    const Term term = outer.terms[t];
    const Stage& inner = stage(term.value);
    const double own = weight_of(outer), other = weight_of(inner);
    std::vector<std::string> names = {inner.name, outer.name};
    inherit_origin(g_, term.value);
    outer.terms.erase(outer.terms.begin() + i64(t));
    for (size_t i = 0; i < products.size(); ++i)
      add_term(outer, inner.terms[i].value, std::move(products[i]));
    detail::add_bias(outer, *term.matrix, inner.bias);
    outer.is_affine = outer.is_affine || inner.is_affine;
    take_name(outer, inner, other, own);
    record("compose", std::move(names));
  }

  /// Products that read a diagonal stage: the shift goes in, the factor comes out behind.
  bool absorb() {
    for (size_t k = 0; k < g_.stages.size(); ++k) {
      Stage& p = g_.stages[k];
      if (p.kind != StageKind::product) continue;
      for (i32 v : {p.x, p.y})
        if (is_movable(v) && fits_product(p, v)) {
          std::vector<std::string> names = {stage(v).name, p.name};
          absorb_into_product(i32(k), v);
          record("absorb", std::move(names));
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
        if (std::abs(e) > detail::kMaxShift * std::abs(d[i])) return false;
      }
    }
    return true;
  }

  /// p = (d u + e + s) (w + t) + c  becomes  q = (u + (e + s)/d) (w + t),  p = d q + c.
  void absorb_into_product(i32 k, i32 v) {
    inherit_origin(g_, v);
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
    behind.origin = product.origin;
    product.origin = before_affine(std::move(product.origin), factor, behind.bias);
    behind.terms.push_back({k, detail::share(diagonal(factor))});
    product.post.clear();
    stage(k) = std::move(product);
    insert_behind(g_, k, std::move(behind));
  }

  StageGraph& g_;
  const MergeOptions& options_;
  detail::ComposeCost cost_;
  int depth_;  ///< unmerged_depth now
};

}  // namespace

void merge(StageGraph& graph, const MergeOptions& options) { Merger(graph, options).run(); }

}  // namespace sinter::encrypted
