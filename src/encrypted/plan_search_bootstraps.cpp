// SPDX-License-Identifier: Apache-2.0
// Candidates with bootstraps: every preset, secret, number of special primes and number of levels
// left between bootstraps whose chain is secure, each with its cheapest placement.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "encrypted/bootstrap_cost.h"
#include "encrypted/bootstrappers.h"
#include "encrypted/detail/plan_net.h"
#include "encrypted/insert_bootstraps.h"
#include "encrypted/levels.h"

namespace sinter::encrypted::detail {
namespace {

constexpr int kFewestLevels = 6, kMostLevels = 20;
constexpr int kFewestSpecial = 5, kMostSpecial = 7, kSpecialBits = 48;
constexpr int kPresetScale = 40;
constexpr double kTwoThreads = 1.39;  // of a bootstrap: docs/ckks.md section 9

/// The power of two by which a bootstrapped value is divided (insert_bootstraps.h).
double bound_of(double range, double margin) {
  return std::exp2(std::ceil(std::log2(std::max(1e-12, range * margin))));
}

}  // namespace

void PlanSearch::add_bootstrapped(const Net& net) {
  std::vector<std::string> presets;
  if (options_.bootstrap != BootstrapChoice::precise) presets.emplace_back("fast");
  if (options_.bootstrap != BootstrapChoice::fast) presets.emplace_back("precise");
  std::vector<ckks::SecretKind> kinds = {options_.scheme.secret};
  if (options_.open.secret) kinds = {ckks::SecretKind::ternary, ckks::SecretKind::sparse};
  std::vector<std::vector<int>> specials = {options_.scheme.log_p};
  if (options_.open.log_p) {
    specials.clear();
    for (int k = kFewestSpecial; k <= kMostSpecial; ++k)
      specials.emplace_back(size_t(k), kSpecialBits);
  }
  for (const std::string& preset : presets)
    for (ckks::SecretKind secret : kinds)
      for (const std::vector<int>& special : specials) {
        SchemeOptions scheme = options_.scheme;
        scheme.log_n = net.packed.log_n;
        scheme.secret = secret;
        scheme.log_p = special;
        if (options_.open.log_scale) scheme.log_scale = kPresetScale;
        if (!special.empty()) add_chain(net, scheme, preset);
      }
}

void PlanSearch::add_chain(const Net& net, const SchemeOptions& scheme, const std::string& preset) {
  // At least one chain, however shallow the network is: bootstraps may have been asked for.
  const int most =
      scheme.log_q.empty() ? std::clamp(depth_ - 1, kFewestLevels, kMostLevels) : kFewestLevels;
  int longest = -1;  // that is secure
  i64 fewest = std::numeric_limits<i64>::max();
  for (int left = kFewestLevels; left <= most; ++left) {
    const BootstrapCandidate b = candidate_at(net, scheme, preset, left);
    if (b.chain.reason.empty()) longest = b.chain.levels_left;
    if (b.chain.reason.empty() || left == kFewestLevels) add_bootstrapped(net, scheme, b);
    if (!b.chain.reason.empty()) break;  // longer ones are no better
    if (b.is_usable()) fewest = std::min(fewest, b.placement.bootstraps());
  }
  if (longest < 0) return;
  const BootstrapCandidate b =
      candidate_at(net, scheme, preset, longest, PlacementGoal::fewest_bootstraps);
  if (b.is_usable() && b.placement.bootstraps() < fewest) {
    add_bootstrapped(net, scheme, b, true);
    fewest = b.placement.bootstraps();
  }
  if (fewest > 1 && net.packed.packing == Packing::packed)
    refuse_one_bootstrap(net, scheme, preset, longest);
}

BootstrapCandidate PlanSearch::candidate_at(const Net& net, const SchemeOptions& scheme,
                                            const std::string& preset, int left,
                                            PlacementGoal goal) const {
  BootstrapChain chain = bootstrap_chain(left, scheme, preset);
  if (!chain.reason.empty()) {
    std::string reason = chain.reason;
    return {preset, std::move(chain), {}, std::move(reason)};
  }
  return bootstrap_candidate({net.packed.stages, net.packed.layouts, net.packed.ranges}, net.ops,
                             scheme, left, preset, options_.units.at(scheme.log_n), goal);
}

/// Says how many levels a plan with one bootstrap lacks.
void PlanSearch::refuse_one_bootstrap(const Net& net, const SchemeOptions& scheme,
                                      const std::string& preset, int longest) {
  const int wanted = net.levels_for_one();
  if (wanted < 0) return;
  Candidate c = start(net, int(scheme.log_p.size()), scheme.secret);
  c.preset = preset;
  c.bootstraps = 1;
  c.log_scale = scheme.log_scale;
  c.levels = wanted;
  const int fewer = (wanted - longest) * scheme.log_scale;
  c.reason = "one bootstrap needs " + std::to_string(wanted) + " levels behind it, " +
             (scheme.log_q.empty() ? "128-bit security" : "log_q") + " leaves " +
             std::to_string(longest) + ": " + std::to_string(wanted - longest) +
             (wanted - longest == 1 ? " level (" : " levels (") + std::to_string(fewer) +
             " bits) short";
  if (std::ssize(scheme.log_p) > kFewestSpecial || scheme.log_scale > kPresetScale)
    c.reason += "; fewer special primes or a smaller log_scale would help";
  else if (!scheme.log_q.empty())
    c.reason += "; a longer log_q would help";
  out_.push_back(std::move(c));
}

void PlanSearch::add_bootstrapped(const Net& net, const SchemeOptions& scheme,
                                  const BootstrapCandidate& b, bool has_fewest) {
  Candidate c = start(net, int(scheme.log_p.size()), scheme.secret);
  c.preset = b.preset;
  c.has_fewest_bootstraps = has_fewest;
  c.log_scale = scheme.log_scale;
  c.levels = b.chain.levels_left;
  c.log2_qp = b.chain.log2_qp;
  c.reason = b.reason;
  if (c.is_usable()) {
    c.bootstraps = b.placement.bootstraps();
    c.bits = std::log2(net.output_range() / bootstrapped_error(net, scheme, b));
    const Levels levels{
        b.placement.level, b.placement.restart, &b,
        held_exponents(net.packed.stages, b.placement, net.packed.ranges, options_.margin)};
    cost(net, c, levels);
    c.reason = judge_headroom(net, c, levels);
    if (c.is_usable()) c.reason = judge_bits(c);
    check_memory(c);
  }
  out_.push_back(std::move(c));
}

double PlanSearch::bootstrapped_error(const Net& net, const SchemeOptions& scheme,
                                      const BootstrapCandidate& b) const {
  const ckks::CkksParams params = ckks::CkksParams::check(b.chain.params);
  double square = std::pow(net.error(scheme.log_scale, scheme.secret, scheme.hamming_weight), 2);
  std::map<std::pair<i64, int>, double> known;  // by period and level
  for (size_t k = 0; k < b.placement.restart.size(); ++k) {
    const int restart = b.placement.restart[k];
    if (restart < 0) continue;
    const i64 period = net.ops.period(i32(k));
    const auto [own, fresh] = known.try_emplace({period, restart}, 0.0);
    if (fresh)
      own->second = ckks::bootstrap_error(
          params, bootstrap_options(params, b.chain.options, period, restart));
    square += std::pow(own->second * bound_of(net.packed.ranges[k], options_.margin) *
                           net.gain(i32(k)) * net.unevenness(),
                       2);
  }
  return std::sqrt(square);
}

void PlanSearch::cost_bootstraps(const Net& net, Candidate& c, const Levels& levels,
                                 ckks::KeyManifest& keys, i64 live, PeakParts& peak) const {
  const BootstrapCandidate& b = *levels.bootstraps;
  const ckks::CkksParams params = ckks::CkksParams::check(b.chain.params);
  const KeySwitching ring{c.log_n, c.special};
  const UnitCosts units = options_.units.at(c.log_n);
  std::map<std::pair<i64, int>, double> seconds;  // by period and level
  for (size_t k = 0; k < levels.restart.size(); ++k) {
    if (!levels.is_bootstrapped(k)) continue;
    const i64 period = net.ops.period(i32(k));
    const auto [one, fresh] = seconds.try_emplace({period, levels.restart[k]}, 0.0);
    if (fresh) {
      const ckks::BootstrapOutline outline = ckks::outline_bootstrap(
          params, bootstrap_options(params, b.chain.options, period, levels.restart[k]));
      one->second = bootstrap_cost(ring, outline, units).seconds;
      keys.merge(outline.manifest);
      peak.working = std::max(peak.working, live + bootstrap_memory(ring, outline));
      peak.factors += bootstrap_factors(ring, outline);
    }
    c.seconds += one->second;
    c.seconds_two += one->second / kTwoThreads;
  }
  peak.factors = std::min(peak.factors, Bootstrappers::kBudget);
}

}  // namespace sinter::encrypted::detail
