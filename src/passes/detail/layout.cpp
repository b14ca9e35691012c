// SPDX-License-Identifier: Apache-2.0
#include "passes/detail/layout.h"

#include <algorithm>
#include <numeric>

#include "passes/detail/edit.h"
#include "passes/detail/match.h"

namespace sinter::passes {

bool moves_elements(Op op) {
  return op == Op::Reshape || op == Op::Flatten || op == Op::Squeeze || op == Op::Unsqueeze ||
         op == Op::Transpose;
}

std::optional<std::vector<i64>> permutation(const Graph& graph, const Node& transpose) {
  std::vector<i64> perm = transpose.attributes.integers("perm");
  if (!perm.empty()) return perm;
  const std::optional<Shape>& shape = graph.shape(transpose.inputs[0]);
  if (!shape) return std::nullopt;
  perm.resize(shape->size());
  std::iota(perm.rbegin(), perm.rend(), 0);
  return perm;
}

LayoutChain::LayoutChain(i64 rank, const std::optional<Shape>& shape) {
  for (i64 i = 0; i < rank; ++i) {
    const Dim dim = shape ? (*shape)[size_t(i)] : Dim::unknown();
    Axis axis;
    if (!dim.is(1)) {
      axis.push_back(int(factors_.size()));
      factors_.push_back(dim);
    }
    source_.push_back(axis);
  }
  result_ = source_;
}

namespace {

/// a / b when that is exact, as expressions.
std::optional<Dim> quotient(const Dim& a, const Dim& b) {
  if (!a.is_known() || !b.is_known() || a.is(0) || b.is(0)) return std::nullopt;
  const Dim q = floor_div(a, b);
  if (!same(q * b, a)) return std::nullopt;
  return q;
}

/// The axes list of a Squeeze or Unsqueeze without negative entries, ascending; nullopt when it is
/// not constant, repeats one or leaves the rank.
std::optional<std::vector<i64>> sorted_axes(const Graph& graph, const Node& node, i64 rank) {
  std::optional<std::vector<i64>> axes = integers(graph, input(node, 1));
  if (!axes) return std::nullopt;
  for (i64& axis : *axes) axis = normalized(axis, rank);
  std::sort(axes->begin(), axes->end());
  for (size_t i = 0; i < axes->size(); ++i)
    if ((*axes)[i] < 0 || (*axes)[i] >= rank || (i > 0 && (*axes)[i] == (*axes)[i - 1]))
      return std::nullopt;
  return axes;
}

}  // namespace

bool LayoutChain::append(const Graph& graph, const Node& node) {
  const i64 rank = std::ssize(result_);
  switch (node.op) {
    case Op::Transpose: {
      const auto perm = permutation(graph, node);
      if (!perm || std::ssize(*perm) != rank) return false;
      Axes moved;
      for (i64 p : *perm) moved.push_back(result_[size_t(p)]);
      result_ = std::move(moved);
      return true;
    }
    case Op::Unsqueeze: {
      const auto count = integers(graph, node.inputs[1]);
      const auto axes = count ? sorted_axes(graph, node, rank + std::ssize(*count)) : std::nullopt;
      if (!axes) return false;
      for (i64 axis : *axes) result_.insert(result_.begin() + axis, Axis{});
      return true;
    }
    case Op::Squeeze: {
      std::optional<std::vector<i64>> axes = sorted_axes(graph, node, rank);
      if (!axes) return false;
      if (axes->empty())
        for (i64 i = 0; i < rank; ++i) {
          if (!size(result_[size_t(i)]).value()) return false;
          if (result_[size_t(i)].empty()) axes->push_back(i);
        }
      for (auto axis = axes->rbegin(); axis != axes->rend(); ++axis) {
        if (!result_[size_t(*axis)].empty()) return false;
        result_.erase(result_.begin() + *axis);
      }
      return true;
    }
    case Op::Flatten: {
      const i64 axis = normalized(node.attributes.integer("axis", 1), rank);
      if (axis < 0 || axis > rank) return false;
      Axes flat(2);
      for (i64 i = 0; i < rank; ++i)
        flat[i < axis ? 0 : 1].insert(flat[i < axis ? 0 : 1].end(), result_[size_t(i)].begin(),
                                      result_[size_t(i)].end());
      result_ = std::move(flat);
      return true;
    }
    case Op::Reshape: {
      const auto& shape = graph.shape(node.outputs[0]);
      std::vector<i64> target;
      if (node.attributes.integer("allowzero", 0) == 0)
        target = integers(graph, node.inputs[1]).value_or(target);
      return shape && reshape(*shape, target);
    }
    default:
      return false;
  }
}

/// Axis by axis from the left: each takes as many factors as its size needs. While everything so
/// far was copied one to one, a 0 in the target copies an axis of unknown size too.
bool LayoutChain::reshape(const Shape& to, const std::vector<i64>& target) {
  Axes made;
  size_t copied = 0;
  while (copied < to.size() && copied < result_.size()) {
    const bool zero = copied < target.size() && target[copied] == 0;
    if (!zero && !same(to[copied], size(result_[copied]))) break;
    made.push_back(result_[copied++]);
  }
  std::vector<int> rest;
  const auto refill = [&] {  // a split adds factors to result_, in place
    rest.clear();
    size_t taken = 0;
    for (const Axis& axis : made) taken += axis.size();
    for (const Axis& axis : result_) rest.insert(rest.end(), axis.begin(), axis.end());
    rest.erase(rest.begin(), rest.begin() + std::ptrdiff_t(taken));
  };
  refill();
  for (size_t i = copied; i < to.size(); ++i) {
    Axis axis;
    if (!to[i].is_known()) {
      if (i + 1 < to.size()) return false;
      axis = rest;
    } else if (!take(rest, to[i], axis)) {
      return false;
    }
    made.push_back(std::move(axis));
    refill();
  }
  if (!rest.empty()) return false;
  result_ = std::move(made);
  return true;
}

bool LayoutChain::take(std::vector<int>& rest, Dim need, Axis& axis) {
  for (size_t i = 0; !need.is(1); ++i) {
    if (i == rest.size()) return false;
    const Dim have = factors_[size_t(rest[i])];
    axis.push_back(rest[i]);
    if (same(have, need)) return true;
    if (const auto more = quotient(need, have)) {
      need = *more;
    } else if (const auto left = quotient(have, need)) {
      split(rest[i], need, *left);
      return true;
    } else {
      return false;
    }
  }
  return true;
}

void LayoutChain::split(int factor, const Dim& first, const Dim& second) {
  const int added = int(factors_.size());
  factors_[size_t(factor)] = first;
  factors_.push_back(second);
  for (Axes* axes : {&source_, &result_})
    for (Axis& axis : *axes)
      if (const auto at = std::find(axis.begin(), axis.end(), factor); at != axis.end())
        axis.insert(at + 1, added);
}

Dim LayoutChain::size(const Axis& axis) const {
  Dim product = 1;
  for (int factor : axis) product = product * factors_[size_t(factor)];
  return product;
}

namespace {

using Axes = std::vector<std::vector<int>>;

std::vector<int> flattened(const Axes& axes) {
  std::vector<int> all;
  for (const auto& axis : axes) all.insert(all.end(), axis.begin(), axis.end());
  return all;
}

/// The positions at which `large` has a dimension of 1 more than `small`, if that is all.
std::optional<std::vector<i64>> inserted_ones(const Axes& small, const Axes& large) {
  std::vector<i64> at;
  size_t next = 0;
  for (size_t i = 0; i < large.size(); ++i) {
    // Equal empty axes are matched greedily; the last ones count as inserted.
    if (next < small.size() && small[next] == large[i])
      ++next;
    else if (large[i].empty())
      at.push_back(i64(i));
    else
      return std::nullopt;
  }
  if (next != small.size()) return std::nullopt;
  return at;
}

/// perm with to[i] = from[perm[i]]; dimensions of 1 are taken in order.
std::optional<std::vector<i64>> permutation_between(const Axes& from, const Axes& to) {
  if (from.size() != to.size()) return std::nullopt;
  std::vector<i64> perm;
  std::vector<bool> used(from.size(), false);
  for (const auto& axis : to) {
    size_t i = 0;
    while (i < from.size() && (used[i] || from[i] != axis)) ++i;
    if (i == from.size()) return std::nullopt;
    used[i] = true;
    perm.push_back(i64(i));
  }
  return perm;
}

/// `axes` in the order in which their factors stand in `order`, when that is possible without
/// breaking one; dimensions of 1 come last.
std::optional<Axes> arranged(Axes axes, const std::vector<int>& order) {
  const auto place = [&](const std::vector<int>& axis) {
    return axis.empty() ? order.end() : std::find(order.begin(), order.end(), axis[0]);
  };
  std::stable_sort(axes.begin(), axes.end(),
                   [&](const auto& a, const auto& b) { return place(a) < place(b); });
  if (flattened(axes) != order) return std::nullopt;
  return axes;
}

/// Longest runs of `order` that stand together in `source` too.
Axes common_runs(const std::vector<int>& source, const std::vector<int>& order) {
  Axes runs;
  auto next = source.end();
  for (int factor : order) {
    if (next == source.end() || *next != factor) runs.emplace_back();
    runs.back().push_back(factor);
    next = std::find(source.begin(), source.end(), factor) + 1;
  }
  return runs;
}

}  // namespace

/// Adds the one reshape that takes `from` to `to` (same order of factors), or nothing.
bool LayoutChain::append_step(const Axes& from, const Axes& to, const PassOptions& options,
                              std::vector<Step>& steps) const {
  if (from == to) return true;
  if (const auto ones = inserted_ones(from, to)) {
    steps.push_back({Op::Unsqueeze, *ones});
    return true;
  }
  if (const auto ones = inserted_ones(to, from)) {
    steps.push_back({Op::Squeeze, *ones});
    return true;
  }
  std::vector<i64> target;
  i64 copied = 0, inferred = 0;
  for (size_t i = 0; i < to.size(); ++i) {
    const std::optional<i64> number = size(to[i]).value();
    if (number == 0) return false;
    if (number) {
      target.push_back(*number);
    } else if (i < from.size() && from[i] == to[i]) {
      target.push_back(0);
      ++copied;
    } else {
      target.push_back(-1);
      ++inferred;
    }
  }
  if (inferred > 1 || (inferred == 1 && copied > 0 && !options.assume_nonempty)) return false;
  steps.push_back({Op::Reshape, target});
  return true;
}

std::optional<std::vector<LayoutChain::Step>> LayoutChain::with_transpose(
    const PassOptions& options) const {
  if (const auto perm = permutation_between(source_, result_))
    return std::vector<Step>{{Op::Transpose, *perm}};
  const std::vector<int> before = flattened(source_), after = flattened(result_);
  std::vector<Step> steps;
  if (const auto middle = arranged(source_, after)) {
    steps.push_back({Op::Transpose, *permutation_between(source_, *middle)});
    if (append_step(*middle, result_, options, steps)) return steps;
    steps.clear();
  }
  if (const auto middle = arranged(result_, before)) {
    if (append_step(source_, *middle, options, steps)) {
      steps.push_back({Op::Transpose, *permutation_between(*middle, result_)});
      return steps;
    }
    steps.clear();
  }
  const Axes late = common_runs(before, after);
  const auto early = arranged(late, before);
  if (!early || !append_step(source_, *early, options, steps)) return std::nullopt;
  steps.push_back({Op::Transpose, *permutation_between(*early, late)});
  if (!append_step(late, result_, options, steps)) return std::nullopt;
  return steps;
}

std::optional<std::vector<LayoutChain::Step>> LayoutChain::shortest(
    const PassOptions& options) const {
  if (source_ == result_) return std::vector<Step>{};
  if (flattened(source_) != flattened(result_)) return with_transpose(options);
  std::vector<Step> steps;
  if (append_step(source_, result_, options, steps)) return steps;
  // Dimensions of 1 that change places do not need a target.
  if (const auto perm = permutation_between(source_, result_))
    return std::vector<Step>{{Op::Transpose, *perm}};
  return std::nullopt;
}

ValueId add_steps(Graph& graph, ValueId value, const std::vector<LayoutChain::Step>& steps,
                  const std::string& name) {
  for (const LayoutChain::Step& step : steps) {
    NodeId node;
    if (step.op == Op::Transpose) {
      node = graph.add_node(Op::Transpose, {value}, {{"perm", step.list}}, {}, name);
    } else {
      const ValueId list = graph.add_constant(
          Tensor::of<i64>({std::ssize(step.list)}, std::span<const i64>(step.list)));
      node = graph.add_node(step.op, {value, list}, {}, {}, name);
    }
    value = graph.node(node).outputs[0];
  }
  return value;
}

}  // namespace sinter::passes
