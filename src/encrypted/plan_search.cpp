// SPDX-License-Identifier: Apache-2.0
#include "encrypted/detail/plan_search.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "encrypted/detail/plan_net.h"
#include "encrypted/levels.h"

namespace sinter::encrypted::detail {
namespace {

constexpr int kSpecialBits = 48, kMostSpecial = 14;
constexpr int kSmallestScale = 34, kLargestScale = 46;
constexpr int kFastScale = 44;  // longer primes are reduced more often (docs/ckks.md section 5)

std::string number(double v, const char* format = "%.0f") {
  char text[32];
  std::snprintf(text, sizeof text, format, v);
  return text;
}

double largest(const std::vector<double>& v) {
  double most = 0;
  for (double x : v) most = std::max(most, std::abs(x));
  return most;
}

}  // namespace

std::vector<int> PlanSearch::special_counts(int depth) const {
  if (!options_.open.log_p) return {int(options_.scheme.log_p.size())};
  std::vector<int> counts(size_t(std::clamp(depth + 1, 1, kMostSpecial)));
  std::iota(counts.begin(), counts.end(), 1);
  return counts;
}

std::vector<ckks::SecretKind> PlanSearch::secrets(i64) const {
  // A sparse secret allows a shorter modulus and gains precision that a larger scale has for free.
  if (options_.open.secret) return {ckks::SecretKind::ternary};
  return {options_.scheme.secret};
}

std::vector<int> PlanSearch::scales() const {
  if (!options_.open.log_scale) return {options_.scheme.log_scale};
  std::vector<int> scales;
  for (int s = kFastScale; s >= kSmallestScale; --s) scales.push_back(s);
  for (int s = kFastScale + 1; s <= kLargestScale; ++s) scales.push_back(s);
  std::erase_if(scales, [this](int s) { return s + 2 > options_.scheme.log_q0; });
  if (scales.empty()) scales.push_back(options_.scheme.log_q0 - 2);
  return scales;
}

double PlanSearch::limit(i64 log_n, ckks::SecretKind secret) const {
  SchemeOptions probe = options_.scheme;
  probe.log_n = log_n;
  probe.secret = secret;
  probe.log_q.clear();
  ckks::CkksOptions options = chain_for(probe, 0);
  options.security = ckks::Security::none_for_tests;
  return ckks::CkksParams::check(options).log2_qp_limit();
}

double PlanSearch::special_bits(const Candidate& c) const {
  if (c.log_special > 0) return double(c.special * c.log_special);
  double bits = 0;
  for (int b : options_.scheme.log_p) bits += b;
  return bits;
}

double PlanSearch::chain_bits(int scale) const {
  const std::vector<int>& chain = options_.scheme.log_q;
  if (chain.empty()) return options_.scheme.log_q0 + double(depth_ * scale);
  return std::accumulate(chain.begin(), chain.end(), 0.0);
}

bool PlanSearch::is_hopeless(i64 log_n) {
  if (depth_ < 0 || options_.scheme.security != ckks::Security::bits128) return false;
  const int scale = options_.open.log_scale ? kSmallestScale : options_.scheme.log_scale;
  const double least =
      double(depth_ * scale + scale + 2 + (options_.open.log_p ? kSpecialBits : 0));
  const double most = limit(log_n, ckks::SecretKind::ternary);
  if (least <= most) return false;
  refuse(log_n, std::to_string(depth_) + " levels of " + std::to_string(scale) +
                    " bits need at least " + number(least) + " bits, 128-bit security at N = 2^" +
                    std::to_string(log_n) + " allows " + number(most) + ": " +
                    number(std::ceil((least - most) / scale)) + " levels short");
  return true;
}

void PlanSearch::refuse(i64 log_n, std::string reason) {
  Candidate c;
  c.log_n = log_n;
  c.levels = std::max(0, depth_);
  c.reason = std::move(reason);
  out_.push_back(std::move(c));
}

void PlanSearch::look_at(const PackedNet& packed) {
  Net net(packed);
  depth_ = net.leveled.depth;
  const bool is_fixed =
      options_.bootstrap == BootstrapChoice::fast || options_.bootstrap == BootstrapChoice::precise;
  for (ckks::SecretKind secret : secrets(packed.log_n))
    for (int special : special_counts(depth_))
      if (!is_fixed) add_leveled(net, special, secret);
  if (options_.bootstrap != BootstrapChoice::none) add_bootstrapped(net);
}

Candidate PlanSearch::start(const Net& net, int special, ckks::SecretKind secret) const {
  Candidate c;
  c.packing = net.packed.packing;
  c.log_n = net.packed.log_n;
  c.special = special;
  c.log_special = options_.open.log_p ? kSpecialBits : 0;
  c.secret = secret;
  c.log_q0 = options_.scheme.log_q0;
  c.log2_qp_limit = limit(c.log_n, secret);
  return c;
}

void PlanSearch::add_leveled(const Net& net, int special, ckks::SecretKind secret) {
  Candidate best = start(net, special, secret);
  best.levels = depth_;
  const Levels levels{net.leveled.level};
  bool has_one = false;
  for (int scale : scales()) {
    Candidate c = best;
    c.log_scale = scale;
    const double error = net.error(scale, secret, options_.scheme.hamming_weight);
    c.bits = std::log2(net.output_range() / error);
    c.log2_qp = chain_bits(scale) + special_bits(c);
    c.reason = judge(net, c, levels);
    if (!has_one || c.is_usable()) best = c;
    has_one = true;
    if (best.is_usable()) break;
  }
  cost(net, best, levels);
  check_memory(best);
  out_.push_back(std::move(best));
}

void PlanSearch::check_memory(Candidate& c) const {
  if (!c.is_usable() || options_.memory_budget == 0 || c.memory <= options_.memory_budget) return;
  c.reason = "needs " + number(double(c.memory) * 1e-9, "%.1f") + " GB of memory, " +
             number(double(c.memory - options_.memory_budget) * 1e-9, "%.1f") +
             " GB more than --memory allows; more special primes make smaller keys";
}

std::string PlanSearch::judge(const Net& net, Candidate& c, const Levels& levels) const {
  if (const int given = int(options_.scheme.log_q.size()) - 1; given >= 0 && given < c.levels)
    return "log_q gives " + std::to_string(given) + " levels: " + std::to_string(c.levels - given) +
           " short, first at " + first_without_level(net.packed.stages, given) +
           "; a longer log_q or a bootstrap would help";
  if (options_.scheme.security == ckks::Security::bits128 && c.log2_qp > c.log2_qp_limit) {
    const double over = c.log2_qp - c.log2_qp_limit;
    const int fit = std::max(0, int((c.log2_qp_limit - c.log_q0 - special_bits(c)) / c.log_scale));
    std::string help;
    for (i64 n = c.log_n + 1; n <= 16 && help.empty(); ++n)
      if (c.log2_qp <= limit(n, c.secret)) help = ", log_n = " + std::to_string(n);
    return std::to_string(c.levels) + " levels of " + std::to_string(c.log_scale) + " bits and " +
           std::to_string(c.special) + " special primes need " + number(c.log2_qp) + " bits, " +
           number(over) + " more than 128-bit security at N = 2^" + std::to_string(c.log_n) +
           " allows: " + std::to_string(c.levels - fit) + " levels short, first at " +
           first_without_level(net.packed.stages, fit) + "; fewer special primes" + help +
           " or a bootstrap would help";
  }
  if (std::string reason = judge_headroom(net, c, levels); !reason.empty()) return reason;
  return judge_bits(c);
}

std::string PlanSearch::judge_bits(const Candidate& c) const {
  if (c.bits >= options_.least_bits) return {};
  return number(c.bits, "%.1f") + " bits of precision, " +
         number(std::ceil(10 * (options_.least_bits - c.bits)) / 10, "%.1f") +
         " fewer than asked for (--bits); " + more_bits_by(c) + " would help";
}

std::string PlanSearch::judge_headroom(const Net& net, const Candidate& c,
                                       const Levels& levels) const {
  for (size_t k = 0; k < net.packed.stages.stages.size(); ++k) {
    const Stage& s = net.packed.stages.stages[k];
    const double room = c.log_q0 + double(levels.level[k] * c.log_scale) - 1 - double(c.log_scale);
    const double reach = std::max(net.packed.ranges[k] * options_.margin, 2 * largest(s.bias));
    const int held = levels.held.empty() ? 0 : levels.held[k];
    const double over = std::log2(std::max(1e-300, reach)) - held - room;
    if (over > 0)
      return s.op + " \"" + s.label() + "\" reaches " +
             number(std::ldexp(net.packed.ranges[k], -held), "%.3g") + " at level " +
             std::to_string(levels.level[k]) + ": the modulus is " + number(over, "%.1f") +
             " bits short; a smaller log_scale or a larger log_q0 would help";
  }
  return {};
}

void PlanSearch::cost(const Net& net, Candidate& c, const Levels& levels) const {
  ckks::KeyManifest keys;
  const KeySwitching ring{c.log_n, c.special};
  const UnitCosts units = options_.units.at(c.log_n);
  const StageGraph& graph = net.packed.stages;
  const auto readers = readers_of(graph);
  const auto bytes_at = [&](int level) { return 2 * (level + 1) * ring.limb_bytes(); };
  i64 live = 0, most_live = 0, peak = 0;
  std::vector<size_t> left(graph.stages.size());
  for (size_t k = 0; k < graph.stages.size(); ++k) {
    const Stage& s = graph.stages[k];
    const i32 stage = i32(k);
    const int reads_at = levels.level[k] + 1;
    left[k] = readers[k].size();
    if (s.kind == StageKind::input) {
      c.ciphertext_bytes += bytes_at(levels.level[k]);
    } else {
      c.seconds += net.ops.seconds(stage, reads_at, ring, units);
      c.seconds_two += net.ops.seconds(stage, reads_at, ring, units, 2);
      c.plaintext_bytes += net.ops.plaintext_bytes(stage, reads_at, ring);
      net.ops.add_keys(stage, reads_at, keys);
    }
    const i64 terms = std::max<i64>(1, std::ssize(s.terms));
    live += bytes_at(levels.kept(k));
    most_live = std::max(most_live, live);
    peak = std::max(peak,
                    live + terms * bytes_at(reads_at) + net.ops.work_bytes(stage, reads_at, ring));
    for (i32 v : operands(s))
      if (--left[size_t(v)] == 0) live -= bytes_at(levels.kept(size_t(v)));
  }
  PeakParts parts{0, 0, peak + c.ciphertext_bytes, 0};
  if (levels.bootstraps != nullptr) cost_bootstraps(net, c, levels, keys, most_live, parts);
  c.keys = keys.key_count();
  const auto add_key = [&](int level) {
    if (level >= 0) c.key_bytes += ring.key_bytes(level);
  };
  for (const auto& [steps, level] : keys.rotations) add_key(level);
  add_key(keys.relinearisation_level);
  add_key(keys.conjugation_level);
  add_key(keys.encapsulation_level);
  c.key_file_bytes = c.key_bytes / 2;
  c.first_seconds = double(c.key_bytes) * kSecondsPerMappedByte;
  const i64 chain = levels.bootstraps == nullptr
                        ? c.levels + 1
                        : std::ssize(levels.bootstraps->chain.params.log_q);
  parts.keys = c.key_bytes;
  parts.resident = resident_bytes(ring, chain + c.special, net.ops.program_bytes());
  c.memory = peak_bytes(parts);
}

}  // namespace sinter::encrypted::detail
