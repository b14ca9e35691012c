// SPDX-License-Identifier: Apache-2.0
#include "encrypted/levels.h"

#include <algorithm>
#include <cmath>

namespace sinter::encrypted {
namespace {

constexpr int kMaxPrimes = 64;

std::vector<int> merged_depths(const StageGraph& graph) {
  std::vector<int> depth;
  for (const Stage& s : graph.stages)
    depth.push_back(
        (s.kind == StageKind::linear && !sums_slots(s)) || s.kind == StageKind::product ? 1 : 0);
  return depth;
}

/// Every entry 1 or -1, at most one a row: adding such a term needs no multiplication when the
/// elements stay where they are.
bool is_free_term(const Term& term) {
  const SparseMatrix& m = *term.matrix;
  return is_diagonal(m) &&
         std::all_of(m.value.begin(), m.value.end(), [](double v) { return v == 1 || v == -1; });
}

/// Levels that fit under the security table at ring size 2^log_n with these primes.
int levels_that_fit(const SchemeOptions& scheme, i64 log_n) {
  SchemeOptions probe = scheme;
  probe.log_n = log_n;
  ckks::CkksOptions options = chain_for(probe, 0);
  options.security = ckks::Security::none_for_tests;
  const ckks::CkksParams params = ckks::CkksParams::check(options);
  double bits = scheme.log_q0;
  for (int p : scheme.log_p) bits += p;
  const double room = params.log2_qp_limit() - bits;
  return room < 0 ? -1 : std::min(kMaxPrimes - 1, int(room / scheme.log_scale));
}

[[noreturn]] void out_of_levels(const SchemeOptions& scheme, const StageGraph& graph, int depth,
                                int levels, std::string_view found) {
  std::string help;
  for (i64 n = scheme.log_n + 1; n <= 17 && help.empty(); ++n)
    if (levels_that_fit(scheme, n) >= depth)
      help = "log_n = " + std::to_string(n) + " has room for " + std::to_string(depth) + "; ";
  fail(ErrorKind::out_of_levels, "compile: the network needs ", depth, " levels, ", found, " ",
       levels, ": ", depth - levels, " short, first at ", first_without_level(graph, levels),
       ". What would help: ", help,
       "a smaller log_scale or fewer log_p bits; fewer layers one after another");
}

}  // namespace

std::string first_without_level(const StageGraph& graph, int levels) {
  std::vector<int> height(graph.stages.size(), 0);
  const std::vector<int> depth = merged_depths(graph);
  for (size_t k = 0; k < height.size(); ++k) {
    for (i32 v : operands(graph.stages[k])) height[k] = std::max(height[k], height[size_t(v)]);
    height[k] += depth[k];
    if (height[k] > levels) return graph.stages[k].op + " \"" + graph.stages[k].label() + "\"";
  }
  return "the output";
}

std::vector<int> unmerged_depths(const StageGraph& graph) {
  std::vector<int> depth = merged_depths(graph);
  std::vector<bool> by_client(depth.size(), false);
  for (size_t k = 0; k < depth.size(); ++k) {
    const Stage& s = graph.stages[k];
    by_client[k] = s.kind == StageKind::input;
    if (s.kind != StageKind::linear) continue;
    by_client[k] = s.terms.size() == 1 && s.bias.empty() && is_selection(*s.terms[0].matrix) &&
                   by_client[size_t(s.terms[0].value)];
    if (by_client[k] || std::all_of(s.terms.begin(), s.terms.end(), is_free_term)) depth[k] = 0;
  }
  return depth;
}

int unmerged_depth(const StageGraph& graph) {
  const std::vector<int> depth = unmerged_depths(graph);
  std::vector<int> height(depth.size(), 0);
  for (size_t k = 0; k < height.size(); ++k) {
    for (i32 v : operands(graph.stages[k])) height[k] = std::max(height[k], height[size_t(v)]);
    height[k] += depth[k];
  }
  return height[size_t(graph.output)];
}

LevelPlan plan_levels(const StageGraph& graph, std::span<const int> depth_of) {
  LevelPlan plan;
  plan.level.assign(graph.stages.size(), 0);
  for (i64 k = std::ssize(graph.stages) - 1; k >= 0; --k) {
    const Stage& s = graph.stages[size_t(k)];
    if (s.kind == StageKind::bootstrap) continue;
    for (i32 v : operands(s))
      plan.level[size_t(v)] =
          std::max(plan.level[size_t(v)], plan.level[size_t(k)] + depth_of[size_t(k)]);
  }
  for (int level : plan.level) plan.depth = std::max(plan.depth, level);
  return plan;
}

LevelPlan plan_levels(const StageGraph& graph) { return plan_levels(graph, merged_depths(graph)); }

ckks::CkksOptions chain_for(const SchemeOptions& scheme, int depth) {
  ckks::CkksOptions options;
  options.log_n = scheme.log_n;
  options.log_q = scheme.log_q;
  if (options.log_q.empty()) {
    options.log_q.assign(size_t(depth) + 1, scheme.log_scale);
    options.log_q[0] = scheme.log_q0;
  }
  options.log_p = scheme.log_p;
  options.log_scale = scheme.log_scale;
  options.secret = scheme.secret;
  options.hamming_weight = scheme.hamming_weight;
  options.security = scheme.security;
  return options;
}

ckks::CkksParams parameters_for(const SchemeOptions& scheme, const StageGraph& graph,
                                const LevelPlan& plan) {
  if (!scheme.log_q.empty()) {
    const int levels = int(scheme.log_q.size()) - 1;
    if (plan.depth > levels) {
      ckks::CkksParams::check(chain_for(scheme, plan.depth));  // what else is wrong comes first
      out_of_levels(scheme, graph, plan.depth, levels, "log_q gives");
    }
  } else {
    require(plan.depth < kMaxPrimes, ErrorKind::out_of_levels, "compile: the network needs ",
            plan.depth, " levels, a chain has at most ", kMaxPrimes - 1);
    if (scheme.security == ckks::Security::bits128) {
      const int levels = levels_that_fit(scheme, scheme.log_n);
      if (levels >= 1 && levels < plan.depth)
        out_of_levels(scheme, graph, plan.depth, levels,
                      "128-bit security at log_n = " + std::to_string(scheme.log_n) + " allows");
    }
  }
  return ckks::CkksParams::check(chain_for(scheme, plan.depth));
}

}  // namespace sinter::encrypted
