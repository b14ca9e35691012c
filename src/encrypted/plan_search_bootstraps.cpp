// SPDX-License-Identifier: Apache-2.0
// Candidates with bootstraps: every preset, secret, number of special primes and number of levels
// left between bootstraps whose chain is secure, each with its cheapest placement.
#include <algorithm>
#include <cmath>

#include "encrypted/bootstrap_cost.h"
#include "encrypted/detail/plan_net.h"
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
  const UnitCosts units = options_.units.at(scheme.log_n);
  // At least one chain, however shallow the network is: bootstraps may have been asked for.
  const int most =
      scheme.log_q.empty() ? std::clamp(depth_ - 1, kFewestLevels, kMostLevels) : kFewestLevels;
  for (int left = kFewestLevels; left <= most; ++left) {
    const BootstrapChain chain = bootstrap_chain(left, scheme, preset);
    if (!chain.reason.empty() && left > kFewestLevels) break;  // longer ones are no better
    BootstrapCandidate b{preset, chain, {}, chain.reason};
    if (chain.reason.empty())
      b = bootstrap_candidate({net.packed.stages, net.packed.layouts, net.packed.ranges}, net.ops,
                              scheme, left, preset, units);
    add_bootstrapped(net, scheme, b);
    if (!chain.reason.empty()) break;
  }
}

void PlanSearch::add_bootstrapped(const Net& net, const SchemeOptions& scheme,
                                  const BootstrapCandidate& b) {
  Candidate c = start(net, int(scheme.log_p.size()), scheme.secret);
  c.preset = b.preset;
  c.log_scale = scheme.log_scale;
  c.levels = b.chain.levels_left;
  c.log2_qp = b.chain.log2_qp;
  c.reason = b.reason;
  if (c.is_usable()) {
    c.bootstraps = b.placement.bootstraps();
    c.bits = std::log2(net.output_range() / bootstrapped_error(net, scheme, b));
    cost(net, c, {b.placement.level, b.placement.restart, &b});
    if (c.bits < options_.least_bits)
      c.reason = "the result would keep " + std::to_string(int(std::max(0.0, c.bits))) +
                 " bits, fewer than the " + std::to_string(int(options_.least_bits)) +
                 " asked for (--bits); " +
                 (c.preset == "precise" ? "" : "the preset \"precise\", ") +
                 "a sparse secret or fewer bootstraps would help";
    check_memory(c);
  }
  out_.push_back(std::move(c));
}

double PlanSearch::bootstrapped_error(const Net& net, const SchemeOptions& scheme,
                                      const BootstrapCandidate& b) const {
  const ckks::CkksParams params = ckks::CkksParams::check(b.chain.params);
  double square = std::pow(net.error(scheme.log_scale, scheme.secret, scheme.hamming_weight), 2);
  for (size_t k = 0; k < b.placement.restart.size(); ++k) {
    if (b.placement.restart[k] < 0) continue;
    const double own = ckks::bootstrap_error(
        params,
        bootstrap_options(params, b.chain.options, net.ops.period(i32(k)), b.placement.restart[k]));
    square += std::pow(own * bound_of(net.packed.ranges[k], options_.margin) * net.gain(i32(k)), 2);
  }
  return std::sqrt(square);
}

void PlanSearch::cost_bootstraps(const Net& net, Candidate& c, const Levels& levels,
                                 ckks::KeyManifest& keys, i64& work) const {
  const BootstrapCandidate& b = *levels.bootstraps;
  const ckks::CkksParams params = ckks::CkksParams::check(b.chain.params);
  const KeySwitching ring{c.log_n, c.special};
  const UnitCosts units = options_.units.at(c.log_n);
  for (size_t k = 0; k < levels.restart.size(); ++k) {
    if (!levels.is_bootstrapped(k)) continue;
    const ckks::BootstrapOutline outline = ckks::outline_bootstrap(
        params,
        bootstrap_options(params, b.chain.options, net.ops.period(i32(k)), levels.restart[k]));
    const InstructionCost one = bootstrap_cost(ring, outline, units);
    c.seconds += one.seconds;
    c.seconds_two += one.seconds / kTwoThreads;
    keys.merge(outline.manifest);
    i64 largest = 0;
    for (const ckks::BootstrapOutline::Map& m : outline.maps)
      largest = std::max(largest, linear_memory(ring, m.level,
                                                {m.diagonals, m.hoisted + 1, m.hoisted,
                                                 m.giants + 1, m.giants, m.period}));
    work = std::max(work, largest + std::min(one.plaintext_bytes, outline.options.memory_budget));
  }
}

}  // namespace sinter::encrypted::detail
