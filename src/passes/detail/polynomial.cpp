// SPDX-License-Identifier: Apache-2.0
#include "passes/detail/polynomial.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "passes/detail/channel.h"
#include "passes/detail/edit.h"

namespace sinter::passes {
namespace {

constexpr size_t kWindow = 64;  // values looked at behind one root

/// q[2] x^2 + q[1] x + q[0] per channel.
struct Polynomial {
  std::vector<double> q[3];
  int degree = 0;      ///< as the expression is written, whatever the coefficients
  bool has_x = false;  ///< depends on x, so it has the shape of x
};

using Maybe = std::optional<Polynomial>;

bool is_expandable(Op op) {
  switch (op) {
    case Op::Add:
    case Op::Sub:
    case Op::Mul:
    case Op::Div:
    case Op::Neg:
    case Op::Pow:
    case Op::BatchNormalization:
    case Op::ChannelAffine:
    case Op::ChannelQuadratic:
    case Op::Identity:
    case Op::Dropout:
    case Op::ConstantOfShape:
    case Op::Expand:
      return true;
    default:
      return false;
  }
}

Polynomial constant(std::vector<double> values) {
  const size_t c = values.size();
  return {{std::move(values), std::vector<double>(c, 0), std::vector<double>(c, 0)}, 0, false};
}

Polynomial combined(const Polynomial& l, const Polynomial& r, double sign) {
  Polynomial p = l;
  for (int d = 0; d < 3; ++d)
    for (size_t i = 0; i < p.q[d].size(); ++i) p.q[d][i] += sign * r.q[d][i];
  p.degree = std::max(l.degree, r.degree);
  p.has_x = l.has_x || r.has_x;
  return p;
}

Maybe product(const Polynomial& l, const Polynomial& r) {
  if (l.degree + r.degree > 2) return std::nullopt;
  Polynomial p = constant(std::vector<double>(l.q[0].size(), 0));
  for (int d = 0; d <= l.degree; ++d)
    for (int e = 0; e <= r.degree; ++e)
      for (size_t i = 0; i < l.q[0].size(); ++i) p.q[d + e][i] += l.q[d][i] * r.q[e][i];
  p.degree = l.degree + r.degree;
  p.has_x = l.has_x || r.has_x;
  return p;
}

/// Values of the graph as polynomials in one base. Without numbers only degrees and shapes are
/// followed (every coefficient vector is empty), which is quick and right but for what only the
/// elements of constants can refuse.
class Interpreter {
 public:
  Interpreter(const Graph& graph, ValueId base, bool with_numbers)
      : graph_(graph),
        base_(base),
        shape_(*graph.shape(base)),
        channels_(*channels(shape_)),
        with_numbers_(with_numbers) {}

  const Maybe& value(ValueId v) {
    if (const auto it = known_.find(v); it != known_.end()) return it->second;
    known_[v] = std::nullopt;
    Maybe p = compute(v);
    if (p && p->has_x) with_x_.push_back(v);
    return known_[v] = std::move(p);
  }
  /// Values found to depend on x, the base first or nowhere.
  const std::vector<ValueId>& with_x() const { return with_x_; }
  bool multiplies() const { return multiplies_; }

 private:
  std::vector<double> filled(double v) const {
    return std::vector<double>(with_numbers_ ? size_t(channels_) : 0, v);
  }
  Maybe channel_constant(const Tensor& t) const {
    if (!with_numbers_)
      return broadcasts_into(to_shape(t.dims()), shape_) ? Maybe(constant({})) : std::nullopt;
    auto values = channel_values(t, shape_);
    return values ? Maybe(constant(std::move(*values))) : std::nullopt;
  }

  Maybe compute(ValueId v) {
    if (v == base_) {
      Polynomial x = constant(filled(0));
      x.q[1] = filled(1);
      x.degree = 1;
      x.has_x = true;
      return x;
    }
    if (const Tensor* t = graph_.constant(v)) return channel_constant(*t);
    const NodeId id = graph_.value(v).producer;
    if (!id.valid() || !is_expandable(graph_.node(id).op)) return std::nullopt;
    const Node& n = graph_.node(id);
    if (v != n.outputs[0] || !only_first_output_used(graph_, n)) return std::nullopt;
    Maybe p = node(n);
    // A constant keeps a shape of its own, which must not enlarge x.
    if (p && !p->has_x && (!graph_.shape(v) || !broadcasts_into(*graph_.shape(v), shape_)))
      return std::nullopt;
    return p;
  }

  Maybe node(const Node& n) {
    switch (n.op) {
      case Op::Identity:
        return value(n.inputs[0]);
      case Op::Dropout: {
        if (n.inputs.size() < 3 || !n.inputs[2].valid()) return value(n.inputs[0]);
        const Tensor* training = graph_.constant(n.inputs[2]);
        if (training == nullptr || training->as_int(0) != 0) return std::nullopt;
        return value(n.inputs[0]);
      }
      case Op::ConstantOfShape: {
        const TensorPtr t = n.attributes.tensor("value");
        return constant(filled(t ? t->as_double(0) : 0));
      }
      case Op::Expand:
        return expand(n);
      case Op::Neg: {
        const Maybe p = value(n.inputs[0]);
        return p ? product(*p, constant(filled(-1))) : std::nullopt;
      }
      case Op::BatchNormalization:
      case Op::ChannelAffine:
      case Op::ChannelQuadratic:
        return channelwise(n);
      default:
        return binary(n);
    }
  }

  Maybe expand(const Node& n) {
    const Maybe p = value(n.inputs[0]);
    const std::optional<Shape>& shape = graph_.shape(n.outputs[0]);
    if (!p || !shape) return std::nullopt;
    if (p->has_x && !same(*shape, shape_)) return std::nullopt;
    return p;
  }

  Maybe channelwise(const Node& n) {
    const Maybe p = value(n.inputs[0]);
    const std::optional<Shape>& own = graph_.shape(n.inputs[0]);
    if (!p || !own || own->size() != shape_.size()) return std::nullopt;  // axis 1 of both
    if (n.op == Op::ChannelQuadratic) {
      Polynomial total = constant(filled(0));  // Horner: (a x + b) x + c
      for (size_t i = 1; i <= 3; ++i) {
        const Maybe coefficient = parameter(n.inputs[i]);
        const Maybe higher = i == 1 ? Maybe(total) : product(total, *p);
        if (!coefficient || !higher) return std::nullopt;
        total = combined(*higher, *coefficient, 1);
      }
      if (p->has_x) multiplies_ = true;
      total.has_x = p->has_x;
      return total;
    }
    if (n.op == Op::ChannelAffine) {
      const Maybe scale = parameter(n.inputs[1]), shift = parameter(n.inputs[2]);
      if (!scale || !shift) return std::nullopt;
      const Maybe scaled = product(*p, *scale);
      return scaled ? Maybe(combined(*scaled, *shift, 1)) : std::nullopt;
    }
    return batch_normalization(n, *p);
  }

  Maybe batch_normalization(const Node& n, const Polynomial& p) {
    if (n.attributes.integer("training_mode", 0) != 0) return std::nullopt;
    const Maybe gamma = statistic(n.inputs[1]), beta = statistic(n.inputs[2]),
                mean = statistic(n.inputs[3]), var = statistic(n.inputs[4]);
    if (!gamma || !beta || !mean || !var) return std::nullopt;
    const double epsilon = n.attributes.real("epsilon", 1e-5f);
    std::vector<double> scale = filled(0);
    for (size_t i = 0; i < scale.size(); ++i) {
      if (!(var->q[0][i] + epsilon > 0)) return std::nullopt;
      scale[i] = gamma->q[0][i] / std::sqrt(var->q[0][i] + epsilon);
    }
    // (p - mean) * scale + beta: the difference first, as the operator does, where it may cancel.
    const Maybe scaled = product(combined(p, *mean, -1), constant(std::move(scale)));
    return scaled ? Maybe(combined(*scaled, *beta, 1)) : std::nullopt;
  }

  /// A statistic of a BatchNormalization: C elements.
  Maybe statistic(ValueId v) const {
    const Tensor* t = graph_.constant(v);
    if (t == nullptr || t->size() != channels_) return std::nullopt;
    return constant(with_numbers_ ? doubles(*t) : std::vector<double>());
  }

  /// A parameter of ChannelAffine or ChannelQuadratic: broadcasts to x.
  Maybe parameter(ValueId v) const {
    const Tensor* t = graph_.constant(v);
    return t != nullptr ? channel_constant(*t) : std::nullopt;
  }

  Maybe binary(const Node& n) {
    const Maybe l = value(n.inputs[0]), r = value(n.inputs[1]);
    if (!l || !r) return std::nullopt;
    switch (n.op) {
      case Op::Add:
        return combined(*l, *r, 1);
      case Op::Sub:
        return combined(*l, *r, -1);
      case Op::Mul:
        if (l->has_x && r->has_x) multiplies_ = true;
        return product(*l, *r);
      case Op::Div: {
        if (r->has_x) return std::nullopt;
        Polynomial p = *l;
        for (auto& q : p.q)
          for (size_t i = 0; i < q.size(); ++i) q[i] /= r->q[0][i];
        return p;
      }
      case Op::Pow: {
        const double exponent = power(n.inputs[1]);
        if (exponent == 1) return l;
        if (exponent != 2) return std::nullopt;
        if (l->has_x) multiplies_ = true;
        return product(*l, *l);
      }
      default:
        return std::nullopt;
    }
  }

  /// The one number in a constant exponent, or 0.
  double power(ValueId v) const {
    const Tensor* t = graph_.constant(v);
    if (t == nullptr || t->size() == 0) return 0;
    for (i64 i = 1; i < t->size(); ++i)
      if (t->as_double(i) != t->as_double(0)) return 0;
    return t->as_double(0);
  }

  const Graph& graph_;
  ValueId base_;
  const Shape shape_;
  i64 channels_;
  bool with_numbers_;
  std::map<ValueId, Maybe> known_;
  std::vector<ValueId> with_x_;
  bool multiplies_ = false;
};

/// A root seen from one base.
struct Match {
  ValueId base;
  Polynomial polynomial;
  i64 nodes = 0;        ///< that the replacement erases
  std::string refusal;  ///< why it may not be replaced; empty when it may
  std::vector<ValueId> interior;
};

/// Non-constant values behind `root` through expandable nodes, nearest first.
std::vector<ValueId> window(const Graph& g, ValueId root) {
  std::vector<ValueId> found = {root};
  std::set<ValueId> seen = {root};
  for (size_t i = 0; i < found.size() && found.size() < kWindow; ++i) {
    const Node* n = g.producer(found[i]);
    if (n == nullptr || !is_expandable(n->op) || n->op == Op::ConstantOfShape) continue;
    for (ValueId v : n->inputs)
      if (v.valid() && g.constant(v) == nullptr && seen.insert(v).second) found.push_back(v);
  }
  found.erase(found.begin());
  return found;
}

/// Why an interior value cannot vanish: an output, or read by a node outside of `erased`.
std::string outside_use(const Graph& g, ValueId v, const std::set<NodeId>& erased) {
  if (g.is_output(v))
    return "an intermediate value is the graph output \"" + g.value(v).name + "\"";
  for (NodeId reader : g.value(v).readers)
    if (!erased.contains(reader)) return "an intermediate value is read by " + g.describe(reader);
  return "";
}

/// The root seen from `base`, without coefficients.
std::optional<Match> match(const Graph& g, ValueId root, ValueId base, bool quadratic) {
  if (!channels(g.shape(base)) || *channels(g.shape(base)) < 1) return std::nullopt;
  Interpreter interpreter(g, base, false);
  const Maybe& p = interpreter.value(root);
  if (!p || !p->has_x || interpreter.multiplies() != quadratic) return std::nullopt;
  Match m{base, {}, 0, "", {}};
  std::set<NodeId> erased;
  for (ValueId v : interpreter.with_x())
    if (v != base) erased.insert(g.value(v).producer);
  m.nodes = std::ssize(erased);
  for (ValueId v : interpreter.with_x()) {
    if (v == base || v == root) continue;
    m.interior.push_back(v);
    if (m.refusal.empty()) m.refusal = outside_use(g, v, erased);
  }
  return m;
}

/// The base that erases most nodes, with coefficients; among the refused ones when none may be
/// replaced.
std::optional<Match> best_match(const Graph& g, ValueId root, bool quadratic) {
  std::vector<Match> matches;
  for (ValueId base : window(g, root))
    if (std::optional<Match> m = match(g, root, base, quadratic); m && m->nodes >= 2)
      matches.push_back(std::move(*m));
  std::stable_sort(matches.begin(), matches.end(), [](const Match& a, const Match& b) {
    if (a.refusal.empty() != b.refusal.empty()) return a.refusal.empty();
    return a.nodes > b.nodes;
  });
  std::optional<Match> refused;
  for (Match& m : matches) {
    const Maybe p = Interpreter(g, m.base, true).value(root);
    if (!p) continue;
    m.polynomial = *p;
    for (const auto& q : p->q)
      if (m.refusal.empty() && !all_finite(g.dtype(m.base), q))
        m.refusal = "a coefficient is not finite";
    if (m.refusal.empty()) return std::move(m);
    if (!refused) refused = std::move(m);
  }
  return refused;
}

void replace(Graph& g, ValueId root, const Match& m) {
  const DType type = g.dtype(m.base);
  const i64 rank = std::ssize(*g.shape(m.base));
  const auto parameter = [&](int degree) {
    return g.add_constant(channel_parameter(type, rank, m.polynomial.q[degree]));
  };
  const std::vector<double>& leading = m.polynomial.q[2];
  const bool is_affine =
      std::all_of(leading.begin(), leading.end(), [](double v) { return v == 0; });
  std::vector<ValueId> inputs = {m.base};
  for (int degree = is_affine ? 1 : 2; degree >= 0; --degree) inputs.push_back(parameter(degree));
  const std::string name = g.producer(root)->name;
  const NodeId fused = g.add_node(is_affine ? Op::ChannelAffine : Op::ChannelQuadratic,
                                  std::move(inputs), {}, {}, name);
  replace_and_erase(g, root, g.node(fused).outputs[0]);
}

}  // namespace

PassStats fuse_polynomials(Graph& graph, bool quadratic) {
  PassStats stats;
  std::set<ValueId> reported;  // inside a match that was refused as a whole
  const std::vector<NodeId> order = graph.topological_order();
  for (auto it = order.rbegin(); it != order.rend(); ++it) {
    if (!graph.alive(*it) || !is_expandable(graph.node(*it).op)) continue;
    const ValueId root = graph.node(*it).outputs[0];
    if (graph.use_count(root) == 0) continue;
    const DType type = graph.dtype(root);
    if (!is_float(type)) continue;
    const std::optional<Match> m = best_match(graph, root, quadratic);
    if (!m) continue;
    std::string refusal = m->refusal;
    if (!is_foldable(type)) refusal = "element type " + std::string(name(type)) + " is left alone";
    if (refusal.empty()) {
      replace(graph, root, *m);
      ++stats.changed;
    } else {
      if (!reported.contains(root)) stats.skipped.push_back({graph.describe(*it), refusal});
      reported.insert(m->interior.begin(), m->interior.end());
    }
  }
  return stats;
}

}  // namespace sinter::passes
