// SPDX-License-Identifier: Apache-2.0
// Rebuilds shape arithmetic whose result is made of sizes of graph inputs and numbers.
//
//   before   a = Gather(Shape(r), 1); t = Concat(Unsqueeze(a), [12], Unsqueeze(a)); Expand(m, t)
//   after    s = Shape(x) start=1 end=2;  t = Concat(s, [12], s);  Expand(m, t)
//
// r is any value whose shape inference knows in terms of the graph inputs, so that what made r is
// not needed for its shape any more (the specification's L9), and Shape of a result becomes Shape
// of what it was made from. A vector of known sizes is cut into runs: numbers, and neighbours in
// the shape of one graph input. One run of sizes is a Shape, several are a Concat.
//
// Done when fewer nodes are left. Shape with start or end needs opset 15. Exact (E0).
#include <algorithm>
#include <map>
#include <set>

#include "passes/detail/edit.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

/// A part of the vector: numbers, or dimensions start..end-1 of an input.
struct Run {
  std::vector<i64> numbers;
  ValueId input;
  i64 start = 0, end = 0;
  friend bool operator<(const Run& a, const Run& b) {
    return std::tie(a.input, a.start, a.end) < std::tie(b.input, b.start, b.end);
  }
};

/// The longest run of sizes from entry `at` that stands in the shape of an input.
Run longest_run(const Graph& g, const std::vector<Dim>& content, size_t at) {
  Run best;
  for (ValueId input : g.inputs()) {
    const std::optional<Shape>& shape = g.shape(input);
    if (!shape) continue;
    for (size_t from = 0; from < shape->size(); ++from) {
      size_t length = 0;
      while (at + length < content.size() && from + length < shape->size() &&
             same(content[at + length], (*shape)[from + length]))
        ++length;
      if (i64(length) > best.end - best.start) best = {{}, input, i64(from), i64(from + length)};
    }
  }
  return best;
}

/// nullopt when an entry is neither a number nor a size of an input.
std::optional<std::vector<Run>> runs_of(const Graph& g, const std::vector<Dim>& content) {
  std::vector<Run> runs;
  for (size_t at = 0; at < content.size();) {
    if (const std::optional<i64> number = content[at].value()) {
      if (runs.empty() || runs.back().input.valid()) runs.emplace_back();
      runs.back().numbers.push_back(*number);
      ++at;
      continue;
    }
    Run run = longest_run(g, content, at);
    if (run.start == run.end) return std::nullopt;
    at += size_t(run.end - run.start);
    runs.push_back(std::move(run));
  }
  return runs;
}

bool is_whole(const Graph& g, const Run& run) {
  return run.start == 0 && run.end == std::ssize(*g.shape(run.input));
}

bool is_shape_of(const Graph& g, const Node& n, const Run& run) {
  if (n.op != Op::Shape || n.inputs[0] != run.input) return false;
  const i64 rank = std::ssize(*g.shape(run.input));
  const auto at = [&](const char* key, i64 absent) {
    return std::clamp<i64>(passes::normalized(n.attributes.integer(key, absent), rank), 0, rank);
  };
  return at("start", 0) == run.start && at("end", rank) == run.end;
}

/// A Shape node for the run that is there already, or an invalid id.
ValueId find_shape(const Graph& g, const Run& run) {
  for (NodeId reader : g.value(run.input).readers)
    if (is_shape_of(g, g.node(reader), run)) return g.node(reader).outputs[0];
  return {};
}

/// Nodes that only serve `value`: they die when its readers take another value.
std::set<NodeId> serving(const Graph& g, ValueId value) {
  std::set<NodeId> dying = {g.value(value).producer};
  std::vector<NodeId> open = {g.value(value).producer};
  while (!open.empty()) {
    const NodeId id = open.back();
    open.pop_back();
    for (ValueId v : g.node(id).inputs) {
      if (!v.valid() || !g.value(v).producer.valid()) continue;
      const NodeId before = g.value(v).producer;
      const Node& n = g.node(before);
      const bool dies = std::all_of(n.outputs.begin(), n.outputs.end(), [&](ValueId out) {
        const std::vector<NodeId>& readers = g.value(out).readers;
        return !g.is_output(out) && std::all_of(readers.begin(), readers.end(),
                                                [&](NodeId r) { return dying.count(r) > 0; });
      });
      if (dies && dying.insert(before).second) open.push_back(before);
    }
  }
  return dying;
}

/// Nodes that building the runs adds, given that those in `dying` go.
i64 cost(const Graph& g, const std::vector<Run>& runs, const std::set<NodeId>& dying) {
  std::set<Run> shapes;
  for (const Run& run : runs)
    if (run.input.valid()) shapes.insert(run);
  i64 nodes = runs.size() > 1 ? 1 : 0;
  for (const Run& run : shapes) {
    const ValueId there = find_shape(g, run);
    nodes += i64(!there.valid() || dying.count(g.value(there).producer) > 0);
  }
  return nodes;
}

ValueId build(Graph& g, const std::vector<Run>& runs) {
  std::vector<ValueId> parts;
  for (const Run& run : runs) {
    if (!run.input.valid()) {
      parts.push_back(g.add_constant(
          Tensor::of<i64>({std::ssize(run.numbers)}, std::span<const i64>(run.numbers))));
      continue;
    }
    const ValueId there = find_shape(g, run);
    Attributes range;
    if (!is_whole(g, run)) range = {{"start", run.start}, {"end", run.end}};
    if (run.start == 0) range.erase("start");
    parts.push_back(there.valid() ? there : g.add(Op::Shape, {run.input}, range));
  }
  return parts.size() == 1 ? parts[0] : g.add(Op::Concat, parts, {{"axis", i64(0)}});
}

bool rebuild(Graph& g, ValueId value, i64 max_opset) {
  const ValueType& type = g.value(value).type;
  if (!type.dims || !type.shape || type.shape->size() != 1 || type.dtype != DType::i64)
    return false;
  const auto runs = runs_of(g, *type.dims);
  if (!runs || runs->empty()) return false;
  for (const Run& run : *runs)
    if (run.input.valid() && !is_whole(g, run) && max_opset < 15) return false;
  const std::set<NodeId> dying = serving(g, value);
  const NodeId producer = g.value(value).producer;
  const bool moves_up =  // a Shape may also move for nothing, to an input
      g.node(producer).op == Op::Shape && runs->size() == 1 && runs->front().input.valid() &&
      !is_shape_of(g, g.node(producer), runs->front());
  const i64 saved = std::ssize(dying) - cost(g, *runs, dying);
  if (saved < 0 || (saved == 0 && !moves_up)) return false;
  const bool is_input_shape =
      g.node(producer).op == Op::Shape && g.value(g.node(producer).inputs[0]).is_input;
  if (saved == 0 && is_input_shape) return false;
  Rewrite rewrite(g, "rebuild_shape_values", {dying.begin(), dying.end()});
  passes::replace_and_erase(g, value, build(g, *runs));
  return rewrite.commit();
}

}  // namespace

PassStats rebuild_shape_values(Graph& graph, const PassOptions& options) {
  PassStats stats;
  std::vector<NodeId> order = graph.topological_order();
  std::reverse(order.begin(), order.end());  // the whole chain before its parts
  for (NodeId id : order) {
    if (!graph.alive(id) || graph.node(id).outputs.size() != 1 || !is_pure(graph, graph.node(id)))
      continue;
    const ValueId value = graph.node(id).outputs[0];
    if (graph.use_count(value) > 0) stats.changed += i64(rebuild(graph, value, options.max_opset));
  }
  return stats;
}

}  // namespace sinter
