// SPDX-License-Identifier: Apache-2.0
#include "passes/pipeline.h"

#include <algorithm>
#include <set>

#include "base/timer.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "passes/detail/bodies.h"
#include "passes/detail/session.h"
#include "passes/fingerprint.h"

namespace sinter {
namespace {

using passes::Run;
using passes::Session;

constexpr i64 kRoundsBeforeCircles = 6;  // a circle is looked for after so many rounds
constexpr std::string_view kRulePrefix = "rule:";

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// `word` is the name of the pass or one of its ids.
bool names(const PassInfo& pass, std::string_view word) {
  if (word == pass.name) return true;
  std::string_view ids = pass.ids;
  while (!ids.empty()) {
    const size_t end = std::min(ids.find(' '), ids.size());
    if (ids.substr(0, end) == word) return true;
    ids.remove_prefix(std::min(end + 1, ids.size()));
  }
  return false;
}

bool names_any(const PassInfo& pass, const std::vector<std::string>& words) {
  return std::any_of(words.begin(), words.end(),
                     [&](const std::string& word) { return names(pass, word); });
}

void check_names(const OptimizeOptions& options) {
  std::vector<std::string> unknown, known;
  for (const auto* list : {&options.skip, &options.only})
    for (const std::string& word : *list)
      if (!word.starts_with(kRulePrefix) &&
          std::none_of(options.passes.begin(), options.passes.end(),
                       [&](const PassInfo& pass) { return names(pass, word); }))
        unknown.push_back(word);
  for (const PassInfo& pass : options.passes) known.emplace_back(pass.name);
  require(unknown.empty(), ErrorKind::bad_argument, "optimize: no pass is called ", joined(unknown),
          "; the passes are ", joined(known));
}

void add_ops(const Graph& graph, OpHistogram& counts) {
  for (NodeId id : graph.nodes()) {
    const Node& node = graph.node(id);
    ++counts[std::string(name(node.op))];
    for (const auto& [key, body] : bodies(node)) add_ops(*body, counts);
  }
}

PassOptions effective(PassOptions rules, const Graph& graph) {
  if (rules.max_opset > 0) return rules;
  rules.max_opset = graph.info.opset;
  if (rules.profile == Profile::modern) rules.max_opset = std::max<i64>(20, rules.max_opset);
  return rules;
}

/// One optimize(): the passes that were asked for, on a graph and, before that, on its bodies.
class Driver {
 public:
  Driver(const Graph& graph, const OptimizeOptions& options)
      : options_(options), rules_(effective(options.rules, graph)) {
    for (const PassInfo& pass : options.passes) {
      if (!runs_in(pass.profiles, rules_.profile)) continue;
      if (!options.only.empty() && !names_any(pass, options.only)) continue;
      if (names_any(pass, options.skip)) continue;
      passes_.push_back(&pass);
      report.passes.emplace_back().name = pass.name;
      report.passes.back().exactness = pass.exactness;
    }
    for (const std::string& word : options.skip)
      if (word.starts_with(kRulePrefix)) run_.switched_off.insert(word.substr(kRulePrefix.size()));
    run_.limit = options.limit;
    run_.check = options.check_rewrites;
    run_.growth_left =
        i64(rules_.max_growth * double(report.constant_bytes_before = constant_bytes(graph))) +
        (1 << 20);
  }

  void optimize(Graph& graph, bool is_body) {
    Session session(graph, run_, is_body);
    std::vector<i64> idle_since(passes_.size(), -1);  // run_.edits when the pass found nothing
    std::set<std::string> seen;
    for (i64 round = 1;; ++round) {
      const i64 edits = run_.edits;
      if (!is_body) report.rounds = round;
      optimize_bodies(session);
      for (size_t i = 0; i < passes_.size(); ++i)
        if (idle_since[i] != run_.edits) idle_since[i] = run(session, i, round);
      if (run_.edits == edits) return;
      const bool circle = round >= kRoundsBeforeCircles &&
                          !seen.insert(fingerprint(graph, ConstantsBy::shape)).second;
      if (circle || round == options_.max_rounds) {
        report.converged = false;
        return;
      }
    }
  }

  void finish() {
    report.rewrites = std::move(run_.accepted);
    report.failures = std::move(run_.failures);
    report.assumptions = std::move(run_.assumptions);
    report.too_large = run_.too_large;
    report.check_ms = run_.check_ms;
    for (PassReport& row : report.passes) {
      for (const RewriteRecord& rewrite : report.rewrites) {
        if (rewrite.pass != row.name) continue;
        for (const auto& [op, count] : rewrite.removed) row.removed[op] += count;
      }
      std::erase_if(row.removed, [](const auto& entry) { return entry.second == 0; });
    }
  }

  OptimizeReport report;

 private:
  /// Returns run_.edits when the pass changed nothing, -1 when it has to run again.
  i64 run(Session& session, size_t index, i64 round) {
    PassReport& row = report.passes[index];
    const PassInfo& pass = *passes_[index];
    if (broken_.count(pass.name) > 0) return run_.edits;
    if (options_.progress) options_.progress(row.name, round);
    const i64 edits = run_.edits;
    const double check_ms = run_.check_ms;
    const Timer timer;
    session.start_pass(pass.name, pass.exactness);
    try {
      PassStats stats = pass.run(session.graph(), rules_);
      session.finish_pass();
      row.skipped = std::move(stats.skipped);
      if (run_.edits != edits) row.changed += stats.changed;
    } catch (const Error& e) {
      session.abandon_pass(e.what());
      broken_.insert(pass.name);
    }
    const double ms = timer.wall_s() * 1e3 - (run_.check_ms - check_ms);
    row.ms += ms;
    report.ms += ms;
    if (round == 1) row.nodes_after = session.graph().node_count();
    if (run_.edits == edits) return edits;
    if (options_.verify_each) verify_after(session.graph(), pass.name);
    return -1;
  }

  void verify_after(const Graph& graph, std::string_view pass) {
    const Timer timer;
    try {
      verify(graph);
    } catch (const Error& e) {
      fail(ErrorKind::internal, "pass ", pass, " broke the graph: ", e.what());
    }
    report.verify_ms += timer.wall_s() * 1e3;
  }

  /// The bodies of all nodes, those in bodies first.
  void optimize_bodies(Session& session) {
    const Graph& graph = session.graph();
    for (NodeId id : graph.nodes()) {
      if (bodies(graph.node(id)).empty()) continue;
      session.start_pass("bodies", Exactness::e0);
      try {
        optimize_bodies_of(session.graph(), id);
        session.accept_edits();
      } catch (const Error& e) {
        session.abandon_pass(e.what());
        for (const auto& [key, body] : bodies(graph.node(id))) finished_.insert(body);
      }
    }
  }

  void optimize_bodies_of(Graph& graph, NodeId id) {
    passes::tidy_captures(graph, id);
    for (const auto& [key, body] : bodies(graph.node(id))) {
      if (finished_.count(body) > 0) continue;
      Graph changed = body->clone();
      const i64 edits = run_.edits;
      optimize(changed, true);
      if (run_.edits == edits) {
        finished_.insert(body);
        continue;
      }
      const auto done = std::make_shared<const Graph>(std::move(changed));
      finished_.insert(done);
      graph.set_attribute(id, key, done);
    }
    passes::tidy_captures(graph, id);
  }

  const OptimizeOptions& options_;
  PassOptions rules_;
  std::vector<const PassInfo*> passes_;
  Run run_;
  std::set<GraphPtr> finished_;        // bodies on which no pass finds anything
  std::set<std::string_view> broken_;  // passes that threw
};

void verify_result(const Graph& graph, OptimizeReport& report) {
  const Timer timer;
  try {
    verify(graph);
  } catch (const Error& e) {
    fail(ErrorKind::internal, "optimize: a rewrite broke the graph: ", e.what());
  }
  report.verify_ms += timer.wall_s() * 1e3;
}

}  // namespace

std::string_view name(Exactness exactness) {
  constexpr std::string_view kNames[] = {"E0", "E1", "E2"};
  return kNames[size_t(exactness)];
}

const PassInfo* find_pass(std::string_view name) {
  for (const PassInfo& pass : all_passes())
    if (pass.name == name) return &pass;
  return nullptr;
}

PassStats run_pass(Graph& graph, const PassInfo& pass, bool verify_after,
                   const PassOptions& options) {
  Run run;
  PassStats stats;
  {
    Session session(graph, run, false);
    session.start_pass(pass.name, pass.exactness);
    try {
      stats = pass.run(graph, options);
      session.finish_pass();
    } catch (const Error& e) {
      session.abandon_pass(e.what());
    }
  }
  for (const RewriteFailure& failure : run.failures)
    fail(ErrorKind::internal, "pass ", pass.name, ", ", failure.rule, " at ", joined(failure.nodes),
         ": ", failure.reason, failure.before.empty() ? "" : "\nbefore\n", failure.before,
         failure.after.empty() ? "" : "after\n", failure.after);
  if (!verify_after) return stats;
  try {
    verify(graph);
  } catch (const Error& error) {
    fail(ErrorKind::internal, "pass ", pass.name, " broke the graph: ", error.what());
  }
  return stats;
}

OpHistogram count_ops(const Graph& graph) {
  OpHistogram counts;
  add_ops(graph, counts);
  return counts;
}

OptimizeReport optimize(Graph& graph, const OptimizeOptions& options) {
  check_names(options);
  if (options.verify_each) verify(graph);
  Driver driver(graph, options);
  OptimizeReport& report = driver.report;
  report.nodes_before = deep_node_count(graph);
  report.ops_before = count_ops(graph);
  driver.optimize(graph, false);
  driver.finish();
  verify_result(graph, report);
  report.nodes_after = deep_node_count(graph);
  report.constant_bytes_after = constant_bytes(graph);
  report.ops_after = count_ops(graph);
  return std::move(report);
}

}  // namespace sinter
