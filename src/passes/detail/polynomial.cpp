// SPDX-License-Identifier: Apache-2.0
#include "passes/detail/polynomial.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "passes/detail/channel.h"
#include "passes/detail/edit.h"

namespace sinter::passes {
namespace {

using Maybe = std::optional<Polynomial>;

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

/// Values of the graph as polynomials in one base.
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

}  // namespace

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

Interpretation interpret(const Graph& graph, ValueId value, ValueId base, bool with_numbers) {
  Interpreter interpreter(graph, base, with_numbers);
  Interpretation result;
  result.polynomial = interpreter.value(value);
  result.with_x = interpreter.with_x();
  result.multiplies = interpreter.multiplies();
  return result;
}

}  // namespace sinter::passes
