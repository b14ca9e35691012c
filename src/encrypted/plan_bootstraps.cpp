// SPDX-License-Identifier: Apache-2.0
#include "encrypted/plan_bootstraps.h"

#include <algorithm>
#include <map>
#include <memory>

#include "encrypted/bootstrap_cost.h"
#include "encrypted/insert_bootstraps.h"

namespace sinter::encrypted {
namespace {

constexpr int kFewestLevels = 6, kMostLevels = 16;
/// Seconds that a bootstrap costs more when their number is what counts.
constexpr double kPenalty = 1e6;

/// Of a chain whose parameters can be checked. Borrows `counts`.
PlacementCosts placement_costs(const StageOps& counts, const BootstrapChain& chain,
                               const UnitCosts& units, double penalty) {
  ckks::CkksOptions options = chain.params;
  options.security = ckks::Security::none_for_tests;  // judged in chain.reason
  const ckks::CkksParams params = ckks::CkksParams::check(options);
  const KeySwitching ring{params.log_n(), std::ssize(params.p())};
  auto known = std::make_shared<std::map<i64, double>>();  // by period
  const auto bootstrap = [&counts, params, ring, units, base = chain.options, known, penalty](i32 k,
                                                                                              int) {
    const auto [it, fresh] = known->try_emplace(counts.period(k), 0.0);
    if (fresh) {
      const ckks::BootstrapOptions o = bootstrap_options(params, base, it->first, 1);
      it->second = bootstrap_cost(ring, ckks::outline_bootstrap(params, o), units).seconds;
    }
    return it->second + penalty;
  };
  return {
      [&counts, ring, units](i32 k, int level) { return counts.seconds(k, level, ring, units); },
      bootstrap};
}

double bits_missing(const BootstrapCandidate& c) {
  return std::max(0.0, c.chain.log2_qp - c.chain.log2_qp_limit) + 100.0 * c.placement.levels_short;
}

/// The better of two of one preset.
bool is_better(const BootstrapCandidate& a, const BootstrapCandidate& b) {
  if (a.is_usable() != b.is_usable()) return a.is_usable();
  return a.is_usable() ? a.placement.cost < b.placement.cost : bits_missing(a) < bits_missing(b);
}

BootstrapCandidate best_of(const Packed& packed, const StageOps& counts,
                           const SchemeOptions& scheme, const std::string& preset,
                           const UnitCosts& units, PlacementGoal goal) {
  const bool is_explicit = !scheme.log_q.empty();
  std::optional<BootstrapCandidate> best;
  for (int levels = kFewestLevels; levels <= kMostLevels; ++levels) {
    BootstrapCandidate next =
        bootstrap_candidate(packed, counts, scheme, levels, preset, units, goal);
    if (!best || is_better(next, *best)) best = std::move(next);
    if (is_explicit) break;
  }
  return std::move(*best);
}

}  // namespace

BootstrapCandidate bootstrap_candidate(const Packed& packed, const StageOps& counts,
                                       const SchemeOptions& scheme, int levels_left,
                                       const std::string& preset, const UnitCosts& units,
                                       PlacementGoal goal) {
  BootstrapCandidate c{preset, bootstrap_chain(levels_left, scheme, preset), {}, {}};
  PlacementOptions options;
  options.max_level = c.chain.levels_left;
  options.allowed = can_be_scaled(packed.stages);
  c.reason = c.chain.reason;
  if (c.chain.log2_qp == 0 || scheme.log_p.empty()) return c;  // nothing to cost
  const double penalty = goal == PlacementGoal::fewest_bootstraps ? kPenalty : 0;
  c.placement =
      place_bootstraps(packed.stages, placement_costs(counts, c.chain, units, penalty), options);
  c.placement.cost -= penalty * double(c.placement.bootstraps());
  if (c.reason.empty()) c.reason = c.placement.reason;
  return c;
}

BootstrapCandidate choose_bootstraps(const Packed& packed, const StageOps& counts,
                                     const SchemeOptions& scheme, BootstrapChoice choice,
                                     const UnitCosts& units, PlacementGoal goal) {
  if (choice == BootstrapChoice::fast) return best_of(packed, counts, scheme, "fast", units, goal);
  BootstrapCandidate precise = best_of(packed, counts, scheme, "precise", units, goal);
  if (choice == BootstrapChoice::precise || precise.is_usable()) return precise;
  BootstrapCandidate fast = best_of(packed, counts, scheme, "fast", units, goal);
  return fast.is_usable() ? fast : precise;
}

int levels_for_one_bootstrap(const StageGraph& graph) {
  const PlacementCosts costs{[](i32, int) { return 0.0; }, [](i32, int) { return 1.0; }};
  PlacementOptions options;
  options.allowed = can_be_scaled(graph);
  const int depth = plan_levels(graph).depth;
  for (options.max_level = (depth + 1) / 2; options.max_level < depth; ++options.max_level)
    if (const Placement p = place_bootstraps(graph, costs, options);
        p.is_feasible && p.bootstraps() <= 1)
      return options.max_level;
  return -1;
}

BootstrappedGraph insert_candidate(const Packed& packed, const BootstrapCandidate& candidate,
                                   double margin) {
  const Placement& placement = candidate.placement;
  SINTER_ASSERT(placement.is_feasible);
  BootstrappedGraph g{packed.stages, {}, {}, {}};
  Inserted inserted = insert_bootstraps(g.stages, placement, packed.ranges, margin);
  g.ranges = std::move(inserted.ranges);
  g.plan.bootstrap = candidate.chain.options;
  g.plan.depth = placement.highest();
  for (size_t k = 0; k < inserted.origin.size(); ++k) {
    const size_t from = size_t(inserted.origin[k]);
    g.layouts.push_back(packed.layouts[from]);
    g.plan.level.push_back(g.stages.stages[k].kind == StageKind::bootstrap ? placement.restart[from]
                                                                           : placement.level[from]);
  }
  return g;
}

}  // namespace sinter::encrypted
