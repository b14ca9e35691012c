// SPDX-License-Identifier: Apache-2.0
#include "graph/rows.h"

#include <algorithm>

namespace sinter {
namespace {

enum class Kind { mixed, fixed, sizes, rows };

class Walk {
 public:
  explicit Walk(const Graph& graph) : g_(graph) {}

  std::string run() {
    if (g_.inputs().empty()) return "the model has no inputs";
    const auto& first = g_.shape(g_.inputs()[0]);
    if (!first || first->empty() || !(*first)[0].is_known() || (*first)[0].value())
      return "dimension 0 of input \"" + g_.value(g_.inputs()[0]).name + "\" is not a symbol";
    batch_ = (*first)[0];
    for (ValueId v : g_.inputs()) {
      if (!has_rows(v))
        return "dimension 0 of input \"" + g_.value(v).name + "\" is not " + batch_.text();
      kinds_[v] = Kind::rows;
    }
    for (ValueId v : g_.constants()) kinds_[v] = Kind::fixed;
    std::string first_mixed;
    for (NodeId id : g_.topological_order()) {
      const Node& n = g_.node(id);
      const bool fixed = std::all_of(n.inputs.begin(), n.inputs.end(), [&](ValueId v) {
        return !v.valid() || kinds_[v] == Kind::fixed;
      });
      const bool rows = !fixed && gives_rows(n);
      for (ValueId v : n.outputs) kinds_[v] = fixed ? Kind::fixed : kind_of_result(v, rows);
      if (first_mixed.empty() && kinds_[n.outputs[0]] == Kind::mixed)
        first_mixed = g_.describe(id) + " may combine items of the batch";
    }
    for (const GraphOutput& o : g_.outputs())
      if (kinds_[o.value] != Kind::rows)
        return first_mixed.empty() ? "output \"" + o.name + "\" is not made of rows" : first_mixed;
    return "";
  }

 private:
  bool has_rows(ValueId v) const {
    const auto& shape = g_.shape(v);
    if (!shape || shape->empty() || !same((*shape)[0], batch_)) return false;
    // A row whose size depends on the batch is no row of a piece. (Texts: a superset is refused.)
    return std::none_of(shape->begin() + 1, shape->end(), [&](const Dim& d) {
      return d.text().find(batch_.text()) != std::string::npos;
    });
  }

  Kind kind_of_result(ValueId v, bool rows) const {
    if (rows && has_rows(v)) return Kind::rows;
    const auto& content = g_.value(v).type.dims;
    if (!content) return Kind::mixed;
    const bool numbers = std::all_of(content->begin(), content->end(),
                                     [](const Dim& d) { return d.value().has_value(); });
    const bool known =
        std::all_of(content->begin(), content->end(), [](const Dim& d) { return d.is_known(); });
    return numbers ? Kind::fixed : known ? Kind::sizes : Kind::mixed;
  }

  // -- facts about the inputs of a node ----------------------------------------------------------
  static bool has(const Node& n, size_t i) { return i < n.inputs.size() && n.inputs[i].valid(); }
  bool is(const Node& n, size_t i, Kind kind) const {
    return has(n, i) && kinds_[n.inputs[i]] == kind;
  }
  /// The inputs from `i` on are absent or fixed.
  bool fixed_from(const Node& n, size_t i) const {
    for (; i < n.inputs.size(); ++i)
      if (has(n, i) && !is(n, i, Kind::fixed)) return false;
    return true;
  }
  /// -1 when unknown.
  i64 rank(ValueId v) const { return g_.shape(v) ? std::ssize(*g_.shape(v)) : -1; }
  i64 rank(const Node& n, size_t i) const { return has(n, i) ? rank(n.inputs[i]) : -1; }

  /// `axis` counted from the front; -1 when it is none of `rank` axes.
  static i64 from_front(i64 axis, i64 rank) {
    const i64 a = axis < 0 ? axis + rank : axis;
    return a < rank ? a : -1;
  }
  static bool spare_axis_0(const std::vector<i64>& axes, i64 rank) {
    return !axes.empty() &&
           std::all_of(axes.begin(), axes.end(), [&](i64 a) { return from_front(a, rank) > 0; });
  }
  /// Input `i` is a constant list of axes of which none is axis 0 of a value of this rank.
  bool spare_axis_0(const Node& n, size_t i, i64 of_rank) const {
    const Tensor* axes = has(n, i) ? g_.constant(n.inputs[i]) : nullptr;
    return axes != nullptr && of_rank > 0 && spare_axis_0(axes->as_ints(), of_rank);
  }
  bool spares_axis_0(const Node& n, i64 axis) const {
    return rank(n, 0) > 0 && from_front(axis, rank(n, 0)) > 0;
  }

  /// Broadcasting lines every operand up with the rows: rows have the rank of the result, and what
  /// is fixed has a lower one or 1 in front.
  bool is_elementwise(const Node& n) const {
    const i64 r = rank(n.outputs[0]);
    for (size_t i = 0; i < n.inputs.size(); ++i) {
      if (is(n, i, Kind::rows) && rank(n, i) == r) continue;
      const i64 lower = rank(n, i);
      const bool fits = is(n, i, Kind::fixed) && lower >= 0 && r > 0 &&
                        (lower < r || (*g_.shape(n.inputs[i]))[0].is(1));
      if (!fits) return false;
    }
    return true;
  }

  // -- rules -------------------------------------------------------------------------------------
  bool gemm(const Node& n) const {
    const bool product =
        is(n, 0, Kind::rows) && is(n, 1, Kind::fixed) && n.attributes.integer("transA", 0) == 0;
    if (!product || !has(n, 2)) return product;
    if (is(n, 2, Kind::rows)) return rank(n, 2) == 2;
    const i64 r = rank(n, 2);
    return is(n, 2, Kind::fixed) &&
           (r == 0 || r == 1 || (r == 2 && (*g_.shape(n.inputs[2]))[0].is(1)));
  }

  bool matmul(const Node& n) const {
    if (!is(n, 0, Kind::rows) || rank(n, 0) < 2) return false;
    if (is(n, 1, Kind::rows)) return rank(n, 0) >= 3 && rank(n, 1) == rank(n, 0);
    return is(n, 1, Kind::fixed) && rank(n, 1) == 2;
  }

  bool gather(const Node& n) const {
    const i64 axis = n.attributes.integer("axis", 0);
    if (is(n, 0, Kind::rows)) return is(n, 1, Kind::fixed) && spares_axis_0(n, axis);
    return is(n, 0, Kind::fixed) && is(n, 1, Kind::rows) && rank(n, 0) > 0 &&
           from_front(axis, rank(n, 0)) == 0;
  }

  bool pad(const Node& n) const {
    const Tensor* pads = has(n, 1) ? g_.constant(n.inputs[1]) : nullptr;
    const i64 r = rank(n, 0);
    return is(n, 0, Kind::rows) && pads != nullptr && r > 0 && pads->size() == 2 * r &&
           pads->as_int(0) == 0 && pads->as_int(r) == 0 && fixed_from(n, 2);
  }

  bool expand(const Node& n) const {
    const bool target = is(n, 1, Kind::fixed) || is(n, 1, Kind::sizes);
    const i64 r = rank(n.outputs[0]), from = rank(n, 0);
    if (!target || r <= 0 || from < 0) return false;
    if (is(n, 0, Kind::rows)) return from == r;
    return is(n, 0, Kind::fixed) && (from < r || (*g_.shape(n.inputs[0]))[0].is(1));
  }

  bool all_rows_of_one_rank(const Node& n) const {
    for (size_t i = 0; i < n.inputs.size(); ++i)
      if (!is(n, i, Kind::rows) || rank(n, i) != rank(n, 0)) return false;
    return rank(n, 0) > 0;
  }

  /// Whether the first output holds rows; that its dimension 0 is the batch is checked apart.
  bool gives_rows(const Node& n) const {
    const bool x = is(n, 0, Kind::rows);
    const i64 axis = n.attributes.integer("axis", 0);
    switch (n.op) {
      case Op::Add:
      case Op::Sub:
      case Op::Mul:
      case Op::Div:
      case Op::Pow:
      case Op::Where:
      case Op::Equal:
      case Op::ChannelAffine:
      case Op::ChannelQuadratic:
        return is_elementwise(n);
      case Op::Sqrt:
      case Op::Neg:
      case Op::Abs:
      case Op::Exp:
      case Op::Log:
      case Op::Relu:
      case Op::LeakyRelu:
      case Op::Sigmoid:
      case Op::Tanh:
      case Op::Cast:
      case Op::Identity:
      case Op::GlobalAveragePool:
      case Op::AveragePool:
        return x;
      case Op::Clip:
      case Op::Dropout:
      case Op::Conv:
      case Op::ConvTranspose:
        return x && fixed_from(n, 1);
      case Op::BatchNormalization:
        return x && fixed_from(n, 1) && n.attributes.integer("training_mode", 0) == 0;
      case Op::MaxPool:  // indices count through the whole batch
        return x && (n.outputs.size() < 2 || g_.use_count(n.outputs[1]) == 0);
      case Op::Gemm:
        return gemm(n);
      case Op::MatMul:
        return matmul(n);
      case Op::Flatten:
        return x && rank(n, 0) > 0 &&
               (n.attributes.integer("axis", 1) == 1 ||
                n.attributes.integer("axis", 1) + rank(n, 0) == 1);
      case Op::Reshape:  // row-major order: an equal dimension 0 keeps each row a row
        return x && (is(n, 1, Kind::fixed) || is(n, 1, Kind::sizes));
      case Op::Transpose: {
        const std::vector<i64> perm = n.attributes.integers("perm");
        return x && !perm.empty() && perm[0] == 0;
      }
      case Op::Softmax:
        return x && spares_axis_0(n, n.attributes.integer("axis", -1));
      case Op::Concat:
        return all_rows_of_one_rank(n) && spares_axis_0(n, axis);
      case Op::Split:
        return x && fixed_from(n, 1) && spares_axis_0(n, axis);
      case Op::Slice:
        return x && fixed_from(n, 1) && spare_axis_0(n, 3, rank(n, 0));
      case Op::Squeeze:
      case Op::ReduceSum:
      case Op::ReduceMean:
        return x && spare_axis_0(n, 1, rank(n, 0));
      case Op::Unsqueeze:
        return x && spare_axis_0(n, 1, rank(n.outputs[0]));
      case Op::Gather:
        return gather(n);
      case Op::Pad:
        return pad(n);
      case Op::Expand:
        return expand(n);
      case Op::ConstantOfShape:
        return is(n, 0, Kind::sizes);
      default:
        return false;
    }
  }

  const Graph& g_;
  Dim batch_;
  ValueMap<Kind> kinds_{Kind::mixed};
};

}  // namespace

std::string why_rows_mix(const Graph& graph) { return Walk(graph).run(); }

}  // namespace sinter
