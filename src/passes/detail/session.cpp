// SPDX-License-Identifier: Apache-2.0
// Judging an edit: types are inferred again from the edited nodes on, positions in the topological
// order are kept so that a cycle shows without sorting the graph, and what the interface, the types
// and the number of nodes were is read from the log.
#include "passes/detail/session.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/timer.h"

namespace sinter::passes {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

i64 deep_count(const Node& node) {
  i64 count = 1;
  for (const auto& [key, body] : bodies(node)) count += deep_node_count(*body);
  return count;
}

void count_deep(const Node& node, i64 times, OpHistogram& counts) {
  counts[std::string(name(node.op))] += times;
  for (const auto& [key, body] : bodies(node))
    for (NodeId id : body->nodes()) count_deep(body->node(id), times, counts);
}

/// True when one type may take the place of the other: nothing known of both is different.
bool compatible(const ValueType& a, const ValueType& b) {
  if (a.dtype == DType::unknown || b.dtype == DType::unknown) return true;
  if (a.dtype != b.dtype) return false;
  if (!a.shape || !b.shape) return true;
  return std::equal(a.shape->begin(), a.shape->end(), b.shape->begin(), b.shape->end(),
                    [](const Dim& x, const Dim& y) {
                      return !x.value() || !y.value() || *x.value() == *y.value();
                    });
}

std::string type_text(const ValueType& type) {
  return std::string(name(type.dtype)) + (type.shape ? to_text(*type.shape) : "[...]");
}

}  // namespace

Session::Session(Graph& graph, Run& run, bool is_body)
    : EditLog(graph), run_(run), is_body_(is_body) {
  sort();
}

// -- passes and rewrites -------------------------------------------------------------------------

void Session::start_pass(std::string_view pass, Exactness exactness) {
  pass_ = pass;
  exactness_ = exactness;
  whole_pass_ = true;
  begin();
}

void Session::finish_pass() {
  SINTER_ASSERT(!inside_);
  if (empty()) return;
  if (whole_pass_)
    finish_rewrite({pass_, {}});
  else
    accept_edits();
}

void Session::abandon_pass(const std::string& why) {
  inside_ = false;
  take_back();
  refuse({pass_, {}}, why);
}

bool Session::start_rewrite() {
  if (inside_) return false;
  whole_pass_ = false;
  accept_edits();  // those outside of any rewrite
  inside_ = true;
  begin();
  return true;
}

void Session::drop_rewrite() {
  inside_ = false;
  take_back();
}

void Session::take_back() {
  undo();
  if (std::exchange(sorted_, false)) sort();  // the positions are those of the edited graph
}

bool Session::finish_rewrite(const Proposal& proposal) {
  const bool stays = stands(proposal);
  inside_ = false;
  if (stays) {
    begin();
    sorted_ = false;
  } else {
    take_back();
  }
  return stays;
}

bool Session::stands(const Proposal& proposal) {
  if (run_.limit >= 0 && std::ssize(run_.accepted) >= run_.limit) return false;
  if (run_.switched_off.count(proposal.rule) > 0) return false;
  if (failed_.count({proposal.rule, proposal.matched}) > 0) return false;
  if (std::string why = broken_structure(proposal); !why.empty()) {
    refuse(proposal, std::move(why));
    return false;
  }
  RewriteRecord record = record_of(proposal);
  if (run_.growth_left >= 0 && record.bytes > 0 && record.bytes > run_.growth_left) {
    ++run_.too_large;
    return false;
  }
  if (is_wrong(proposal, record)) return false;
  accept(proposal, std::move(record));
  return true;
}

/// Compares before and after, and notes in `record` how that went.
bool Session::is_wrong(const Proposal& proposal, RewriteRecord& record) {
  if (!run_.check) {
    record.reason = "checks are switched off";
    return false;
  }
  const Timer timer;
  RewriteCheck check = run_.checker(*this, proposal.matched);
  run_.check_ms += timer.wall_s() * 1e3;
  record.checked = check.checked;
  record.reason = check.reason;
  if (!check.different) return false;
  std::string reason = check.reason;
  refuse(proposal, std::move(reason), std::move(check));
  return true;
}

void Session::accept(const Proposal& proposal, RewriteRecord record) {
  if (run_.growth_left >= 0) run_.growth_left -= record.bytes;
  for (const std::string& assumption : proposal.assumptions) ++run_.assumptions[assumption];
  run_.accepted.push_back(std::move(record));
  ++run_.edits;
}

void Session::refuse(const Proposal& proposal, std::string reason, RewriteCheck check) {
  failed_.insert({proposal.rule, proposal.matched});
  RewriteFailure failure;
  failure.pass = pass_;
  failure.rule = proposal.rule;
  failure.reason = std::move(reason);
  failure.difference = check.difference;
  failure.tolerance = check.tolerance;
  failure.before = std::move(check.before);
  failure.after = std::move(check.after);
  for (NodeId id : proposal.matched) failure.nodes.push_back(described(id));
  run_.failures.push_back(std::move(failure));
}

void Session::accept_edits() {
  if (empty()) return;
  keep_order();
  infer_edited();
  ++run_.edits;
  begin();
  sorted_ = false;
}

// -- structure -----------------------------------------------------------------------------------

void Session::infer_edited() {
  std::vector<NodeId> start;
  for (NodeId id : edited_nodes())
    if (graph().alive(id)) start.push_back(id);
  for (NodeId id = first_node(); id.index < graph().node_bound(); ++id.index)
    if (graph().alive(id)) start.push_back(id);
  graph().infer_from(start);
}

/// What is wrong with the edited graph; empty when nothing is.
std::string Session::broken_structure(const Proposal& proposal) {
  try {
    keep_order();  // first: around a cycle inference might never end
    infer_edited();
  } catch (const Error& e) {
    return e.what();
  }
  if (std::string why = broken_interface(); !why.empty()) return why;
  if (std::string why = broken_type(); !why.empty()) return why;
  i64 more = 0;
  for (NodeId id : edited_nodes()) {
    if (was_alive(id)) more -= deep_count(before(id));
    if (graph().alive(id)) more += deep_count(graph().node(id));
  }
  for (NodeId id = first_node(); id.index < graph().node_bound(); ++id.index)
    if (graph().alive(id)) more += deep_count(graph().node(id));
  if (more > proposal.extra_nodes) return std::to_string(more) + " nodes more than before";
  return "";
}

std::string Session::broken_interface() const {
  const Graph& g = graph();
  const auto &outputs = outputs_before(), &now = g.outputs();
  const bool same_outputs =
      std::equal(outputs.begin(), outputs.end(), now.begin(), now.end(),
                 [](const GraphOutput& a, const GraphOutput& b) { return a.name == b.name; });
  if (!same_outputs) return "the outputs of the graph changed";
  if (!is_body_ && inputs_before() != g.inputs()) return "the inputs of the graph changed";
  for (size_t i = 0; i < now.size(); ++i) {
    if (outputs[i].value == now[i].value) continue;
    const ValueType &was = before(outputs[i].value).type, &is = g.value(now[i].value).type;
    if (!compatible(was, is))
      return "output \"" + now[i].name + "\" was " + type_text(was) + ", is " + type_text(is);
  }
  return "";
}

std::string Session::broken_type() const {
  for (ValueId id : edited_values()) {
    if (!was_alive(id) || !graph().alive(id)) continue;
    const ValueType &was = before(id).type, &is = graph().value(id).type;
    if (!compatible(was, is))
      return "\"" + graph().value(id).name + "\" was " + type_text(was) + ", is " + type_text(is);
  }
  return "";
}

std::string Session::described(NodeId id) const {
  if (id >= first_node()) return "node " + std::to_string(id.index);
  const Node& node = before(id);
  const std::string& shown = node.name.empty() ? before(node.outputs[0]).name : node.name;
  return std::string(name(node.op)) + " \"" + shown + "\"";
}

RewriteRecord Session::record_of(const Proposal& proposal) const {
  RewriteRecord record;
  record.pass = pass_;
  record.rule = proposal.rule;
  if (!proposal.matched.empty()) record.where = described(proposal.matched[0]);
  const Graph& g = graph();
  for (NodeId id : edited_nodes()) {
    if (was_alive(id) && !g.alive(id)) count_deep(before(id), 1, record.removed);
    if (was_alive(id) && g.alive(id) && !bodies(g.node(id)).empty()) {
      count_deep(before(id), 1, record.removed);
      count_deep(g.node(id), -1, record.removed);
    }
  }
  for (NodeId id = first_node(); id.index < g.node_bound(); ++id.index)
    if (g.alive(id)) count_deep(g.node(id), -1, record.removed);
  std::erase_if(record.removed, [](const auto& entry) { return entry.second == 0; });
  // A constant that lost its last reader will go: it counts as gone.
  const auto used = [](const Value& v, const std::vector<GraphOutput>& outputs, ValueId id) {
    return !v.readers.empty() || std::any_of(outputs.begin(), outputs.end(),
                                             [&](const GraphOutput& o) { return o.value == id; });
  };
  for (ValueId id : edited_values()) {
    const Value& was = before(id);
    if (!was.constant || !was_alive(id)) continue;
    const bool is_used = g.alive(id) && used(g.value(id), g.outputs(), id);
    record.bytes +=
        was.constant->byte_size() * (i64(is_used) - i64(used(was, outputs_before(), id)));
  }
  for (ValueId id = first_value(); id.index < g.value_bound(); ++id.index)
    if (g.alive(id) && g.constant(id) != nullptr && used(g.value(id), g.outputs(), id))
      record.bytes += g.constant(id)->byte_size();
  return record;
}

// -- order ---------------------------------------------------------------------------------------

/// Gives an added node a position between what it reads and what reads it; false without room.
bool Session::place(NodeId id) {
  const Graph& g = graph();
  double low = 0, high = kInfinity;
  for (ValueId v : g.node(id).inputs)
    if (v.valid() && g.value(v).producer.valid())
      low = std::max(low, position_[g.value(v).producer]);
  for (ValueId v : g.node(id).outputs)
    for (NodeId reader : g.value(v).readers)
      if (reader < first_node()) high = std::min(high, position_[reader]);
  const double middle = high == kInfinity ? low + 1 : low + (high - low) / 2;
  position_[id] = middle;
  return low < middle && middle < high;
}

void Session::keep_order() {
  const Graph& g = graph();
  bool ordered = true;
  for (NodeId id = first_node(); ordered && id.index < g.node_bound(); ++id.index)
    if (g.alive(id)) ordered = place(id);
  const auto follows = [&](NodeId id) {
    for (ValueId v : g.node(id).inputs)
      if (v.valid() && g.value(v).producer.valid() &&
          !(position_[g.value(v).producer] < position_[id]))
        return false;
    return true;
  };
  for (NodeId id : edited_nodes()) ordered = ordered && (!g.alive(id) || follows(id));
  for (NodeId id = first_node(); ordered && id.index < g.node_bound(); ++id.index)
    ordered = !g.alive(id) || follows(id);
  if (ordered) return;
  sort();
  sorted_ = true;
}

void Session::sort() {
  double position = 0;
  for (NodeId id : graph().topological_order()) position_[id] = ++position;
}

}  // namespace sinter::passes
