// SPDX-License-Identifier: Apache-2.0
// The search for a way and its execution. Nothing changes before the whole way is known and every
// new constant is computed; then the map's node goes and the constants are put in.
#include <algorithm>

#include "passes/detail/edit.h"
#include "passes/detail/fold.h"
#include "passes/rewrite.h"

namespace sinter::passes {
namespace {

constexpr i64 kMostSteps = 256;       // nodes looked at in one search
constexpr i64 kMostGrowth = 1 << 20;  // bytes of private copies for one map

class Plan {
 public:
  Plan(const Graph& graph, i64 between) : graph_(graph), between_(between) {}

  /// Finds what must change so that `v` becomes map(v); the readers of v are not looked at.
  bool raise(ValueId v, const AffineMap& full_map, i64 depth) {
    const AffineMap map = full_map.simplified();
    if (map.is_identity()) return true;
    const NodeId id = graph_.value(v).producer;
    if (!id.valid()) return refuse("its input is an input of the graph");
    if (!enter(id, depth)) return false;
    const auto& outputs = graph_.node(id).outputs;
    const i64 output = std::find(outputs.begin(), outputs.end(), v) - outputs.begin();
    std::string reason;
    for (const Raised& way : raise_through(graph_, id, output, map, reason)) {
      const size_t edits = edits_.size(), visited = visited_.size();
      if (take(id, way, depth)) return true;
      edits_.resize(edits);
      visited_.resize(visited);
    }
    return refuse(reason);
  }

  /// Finds what must change so that all that reads `v` may read map(v) in its place.
  bool sink(ValueId v, const AffineMap& full_map, i64 depth) {
    const AffineMap map = full_map.simplified();
    if (map.is_identity() || graph_.use_count(v) == 0) return true;
    if (graph_.is_output(v)) return refuse("its result is a graph output");
    for (NodeId reader : graph_.value(v).readers) {
      const std::vector<ValueId>& inputs = graph_.node(reader).inputs;
      if (std::count(inputs.begin(), inputs.end(), v) != 1)
        return refuse("it is not the first operand of " + graph_.describe(reader) + " alone");
      if (!enter(reader, depth)) return false;
      const i64 input = std::find(inputs.begin(), inputs.end(), v) - inputs.begin();
      Sunk sunk = sink_through(graph_, reader, input, map);
      if (!sunk.refusal.empty()) return refuse(sunk.refusal);
      for (Edit& edit : sunk.edits) edits_.push_back(std::move(edit));
      for (const auto& [output, rest] : sunk.rest)
        if (!sink(graph_.node(reader).outputs[size_t(output)], rest, depth + 1)) return false;
    }
    return true;
  }

  /// Computes the new constants; "" or why they cannot be.
  std::string prepare() {
    i64 growth = 0;
    for (const Edit& edit : edits_) {
      Change change;
      if (std::string why = edit.make(change); !why.empty()) return why;
      for (const auto& [input, tensor] : change.constants)
        growth += growth_of(edit.node, input, tensor);
      changes_.emplace_back(edit.node, std::move(change));
    }
    return growth > kMostGrowth ? "the shared weight would be copied" : "";
  }

  void apply(Graph& graph) {
    for (auto& [id, change] : changes_) {
      std::vector<ValueId> inputs = graph.node(id).inputs;
      for (auto& [index, tensor] : change.constants) {
        if (std::ssize(inputs) <= index) inputs.resize(size_t(index) + 1);
        inputs[size_t(index)] = graph.add_constant(std::move(tensor));
      }
      if (change.becomes_gemm) {
        const ValueId old = graph.node(id).outputs[0];
        const NodeId gemm =
            graph.add_node(Op::Gemm, std::move(inputs), {}, {}, graph.node(id).name);
        graph.replace_uses(old, graph.node(gemm).outputs[0]);
        graph.erase_node(id);
        continue;
      }
      graph.set_inputs(id, std::move(inputs));
      for (auto& [key, value] : change.attributes)
        value ? graph.set_attribute(id, key, std::move(*value)) : graph.erase_attribute(id, key);
      graph.infer(id);
    }
  }

  const std::vector<NodeId>& visited() const { return visited_; }
  const std::string& refusal() const { return refusal_; }

 private:
  /// The first reason is the one reported: it is about the map's neighbour. Never empty, which
  /// would mean success.
  bool refuse(const std::string& why) {
    if (refusal_.empty()) refusal_ = why.empty() ? "its neighbour has no way to take it" : why;
    return false;
  }

  bool enter(NodeId id, i64 depth) {
    if (depth > between_) return refuse("its neighbour does not take it");
    if (++steps_ > kMostSteps) return refuse("the way is too long");
    if (std::find(visited_.begin(), visited_.end(), id) != visited_.end())
      return refuse("two ways lead to " + graph_.describe(id));
    visited_.push_back(id);
    return true;
  }

  bool take(NodeId id, const Raised& way, i64 depth) {
    for (const Need& need : way.needs) {
      const ValueId v = graph_.node(id).inputs[size_t(need.input)];
      if (graph_.constant(v) != nullptr) {
        edits_.push_back(map_operand(graph_, id, need.input, need.map.simplified(), need.rank));
        continue;
      }
      if (!has_one_reader(graph_, v)) return refuse(why_not_one_reader(graph_, v));
      if (!raise(v, need.map, depth + 1)) return false;
    }
    edits_.insert(edits_.end(), way.edits.begin(), way.edits.end());
    return true;
  }

  i64 growth_of(NodeId id, i64 input, const Tensor& tensor) const {
    const std::vector<ValueId>& inputs = graph_.node(id).inputs;
    const ValueId old = input < std::ssize(inputs) ? inputs[size_t(input)] : ValueId{};
    const bool dies = old.valid() && graph_.use_count(old) == 1;
    return tensor.byte_size() - (dies ? graph_.constant(old)->byte_size() : 0);
  }

  const Graph& graph_;
  i64 between_, steps_ = 0;
  std::vector<Edit> edits_;
  std::vector<NodeId> visited_;
  std::vector<std::pair<NodeId, Change>> changes_;
  std::string refusal_;
};

/// All readers of x are the map itself.
bool read_by_map_alone(const Graph& g, const AffineNode& f) {
  const std::vector<NodeId>& readers = g.value(f.x).readers;
  return !g.is_output(f.x) &&
         std::all_of(readers.begin(), readers.end(), [&](NodeId n) { return n == f.node; });
}

std::optional<std::string> execute(Graph& graph, const AffineNode& f, Plan& plan,
                                   const FoldLimits& limits) {
  if (std::string why = plan.prepare(); !why.empty()) return why;
  std::vector<NodeId> matched = plan.visited();
  matched.push_back(f.node);
  Rewrite rewrite(graph, limits.rule, matched);
  graph.replace_uses(f.y, f.x);
  erase_if_dead(graph, f.node);
  plan.apply(graph);
  return rewrite.commit() ? std::optional<std::string>("") : std::nullopt;
}

bool is_end(const FoldLimits& limits, Op op) {
  return limits.ends.empty() ||
         std::find(limits.ends.begin(), limits.ends.end(), op) != limits.ends.end();
}

}  // namespace

std::optional<std::string> fold_back(Graph& graph, const AffineNode& f, const FoldLimits& limits) {
  const Node* producer = graph.producer(f.x);
  if (producer == nullptr || !is_end(limits, producer->op)) return std::nullopt;
  if (!read_by_map_alone(graph, f)) return why_not_one_reader(graph, f.x);
  Plan plan(graph, limits.between);
  if (!plan.raise(f.x, f.map, 0)) return plan.refusal();
  return execute(graph, f, plan, limits);
}

std::optional<std::string> fold_forward(Graph& graph, const AffineNode& f,
                                        const FoldLimits& limits) {
  if (graph.use_count(f.y) == 0) return "nothing reads it";
  Plan plan(graph, limits.between);
  if (!plan.sink(f.y, f.map, 0)) return plan.refusal();
  return execute(graph, f, plan, limits);
}

}  // namespace sinter::passes
