// SPDX-License-Identifier: Apache-2.0
#include "encrypted/detail/merge_sum.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "encrypted/detail/lowering.h"

namespace sinter::encrypted::detail {
namespace {

/// The entry of a full matrix of equal entries; 0 for any other.
double uniform_entry(const SparseMatrix& m) {
  if (m.cols < 2 || m.nonzeros() != m.rows * m.cols) return 0;
  const double r = m.value[0];
  return std::all_of(m.value.begin(), m.value.end(), [r](double v) { return v == r; }) ? r : 0;
}

void scale(std::vector<double>& v, double factor) {
  for (double& x : v) x *= factor;
}

/// v's elements are `factor` times what they were.
void scale_origin(Stage& stage, double factor) {
  const std::vector<double> all(size_t(stage.size()), factor);
  stage.origin = scaled(std::move(stage.origin), all);
}

void scale_linear(Stage& stage, double factor) {
  for (Term& term : stage.terms) {
    SparseMatrix m = *term.matrix;
    scale(m.value, factor);
    term.matrix = share(std::move(m));
  }
  scale(stage.bias, factor);
  scale_origin(stage, factor);
}

/// A product whose operands became `x` and `y` times what they were.
void scale_product(Stage& stage, double x, double y) {
  scale(stage.shift_x, x);
  scale(stage.shift_y, y);
  scale(stage.post, x * y);
  scale_origin(stage, x * y);
}

/// The stages of f x (y^2 + b y + c): x, x^2, y, (y + s)^2, the product, and a factor behind it.
struct Normalisation {
  i32 x = -1, square = -1, sum = -1, outer = -1, product = -1, behind = -1;
  double factor = 1;
};

class Sums {
 public:
  explicit Sums(StageGraph& graph) : g_(graph), readers_(readers_of(graph)) {}

  std::vector<std::string> apply_once() {
    for (i32 v = 0; v < std::ssize(g_.stages); ++v) {
      const Stage& s = stage(v);
      if (s.kind != StageKind::linear || s.is_sum || s.terms.size() != 1) continue;
      const double r = uniform_entry(*s.terms[0].matrix);
      const i32 u = s.terms[0].value;
      if (r == 0 || stage(u).kind != StageKind::product || !keeps_slots_clean(v)) continue;
      std::vector<std::string> names = {stage(u).name, s.name};
      if (apply(v, u, r)) return names;
    }
    return {};
  }

 private:
  Stage& stage(i32 k) { return g_.stages[size_t(k)]; }

  bool is_only_reader(i32 v, i32 reader) const {
    return v != g_.output && readers_[size_t(v)] == std::vector<i32>{reader};
  }

  /// With v a sum: its operand has zeros in slots without an element, and the output has not the
  /// sum there.
  bool keeps_slots_clean(i32 v) {
    std::vector<bool> copied(g_.stages.size(), false);  // the same in all slots
    for (i32 k = 0; k < std::ssize(g_.stages); ++k) {
      const Stage& s = stage(k);
      if (s.kind == StageKind::product)
        copied[size_t(k)] = copied[size_t(s.x)] && copied[size_t(s.y)];
      if (k == v || s.is_sum) {
        if (copied[size_t(s.terms[0].value)]) return false;
        copied[size_t(k)] = true;
      }
    }
    return !copied[size_t(g_.output)] || stage(g_.output).size() == 1;
  }

  bool apply(i32 v, i32 u, double r) {
    if (const auto n = normalisation(v, u)) {
      balance(*n, r);
      return true;
    }
    const Stage& product = stage(u);
    const bool movable = is_only_reader(u, v) && stage(product.x).kind == StageKind::linear &&
                         is_only_reader(product.x, u);
    if (r != 1 && (!movable || (product.x == product.y && (r < 0 || !product.is_square()))))
      return false;
    if (r != 1) {
      const double t = product.x == product.y ? std::sqrt(r) : r;
      scale_linear(stage(product.x), t);
      scale_product(stage(u), t, product.x == product.y ? t : 1);
    }
    make_ones(v);
    return true;
  }

  void make_ones(i32 v) {
    SparseMatrix ones = *stage(v).terms[0].matrix;
    std::fill(ones.value.begin(), ones.value.end(), 1.0);
    stage(v).terms[0].matrix = share(std::move(ones));
    stage(v).is_sum = true;
  }

  std::optional<Normalisation> normalisation(i32 v, i32 u) {
    Normalisation n;
    n.square = u, n.sum = v, n.x = stage(u).x;
    if (!stage(u).is_square() || stage(n.x).kind != StageKind::linear || n.x == g_.output ||
        !is_only_reader(u, v) || v == g_.output || readers_[size_t(v)].size() != 1)
      return std::nullopt;
    n.outer = readers_[size_t(v)][0];
    if (!stage(n.outer).is_square() || n.outer == g_.output ||
        readers_[size_t(n.outer)].size() != 1)
      return std::nullopt;
    n.product = readers_[size_t(n.outer)][0];
    const Stage& p = stage(n.product);
    const bool of_both = p.kind == StageKind::product &&
                         ((p.x == n.x && p.y == n.outer) || (p.x == n.outer && p.y == n.x));
    std::vector<i32> both = {n.square, n.product};
    std::sort(both.begin(), both.end());
    if (!of_both || readers_[size_t(n.x)] != both) return std::nullopt;
    find_factor(n);
    return n;
  }

  /// One number behind the product, which would cost a level.
  void find_factor(Normalisation& n) {
    if (n.product == g_.output || readers_[size_t(n.product)].size() != 1) return;
    const i32 k = readers_[size_t(n.product)][0];
    const Stage& line = stage(k);
    if (line.kind != StageKind::linear || line.terms.size() != 1) return;
    const SparseMatrix& m = *line.terms[0].matrix;
    if (!is_diagonal(m) || m.nonzeros() != m.rows) return;
    if (!std::all_of(m.value.begin(), m.value.end(), [&](double f) { return f == m.value[0]; }))
      return;
    n.behind = k;
    n.factor = m.value[0];
  }

  void balance(const Normalisation& n, double r) {
    const double power = std::abs(n.factor) * r * r;
    const double t = std::copysign(std::pow(power, 0.2), n.factor), y = t * t / r;
    scale_linear(stage(n.x), t);
    scale_product(stage(n.square), t, t);
    make_ones(n.sum);
    scale(stage(n.sum).bias, y);
    scale_origin(stage(n.sum), y);
    scale_product(stage(n.outer), y, y);
    Stage& p = stage(n.product);
    scale_product(p, p.x == n.x ? t : y * y, p.x == n.x ? y * y : t);
    if (n.behind < 0) return;
    const Stage& line = stage(n.behind);
    p.origin = line.origin;
    if (!line.bias.empty()) p.post.resize(line.bias.size(), 0.0);
    for (size_t i = 0; i < line.bias.size(); ++i) p.post[i] += line.bias[i];
    p.merged += line.merged + 1;
    for (Stage& s : g_.stages) {
      for (Term& term : s.terms)
        if (term.value == n.behind) term.value = n.product;
      if (s.kind == StageKind::product && s.x == n.behind) s.x = n.product;
      if (s.kind == StageKind::product && s.y == n.behind) s.y = n.product;
    }
    if (g_.output == n.behind) g_.output = n.product;
  }

  StageGraph& g_;
  std::vector<std::vector<i32>> readers_;
};

}  // namespace

std::vector<std::string> sum_over_slots(StageGraph& graph) { return Sums(graph).apply_once(); }

}  // namespace sinter::encrypted::detail
