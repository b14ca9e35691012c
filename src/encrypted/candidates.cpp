// SPDX-License-Identifier: Apache-2.0
#include "encrypted/candidates.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <tuple>

#include "encrypted/detail/plan_search.h"

namespace sinter::encrypted {
namespace {

using detail::PlanSearch;

constexpr i64 kSmallestRing = 13, kLargestRing = 16;  // 2^17: nobody's keys fit a machine

/// Groups in the order of tables.
auto group_of(const Candidate& c) {
  return std::tuple(c.packing, c.preset.empty() ? 0 : 1, -c.log_n, c.preset, c.bootstraps);
}

void sort_groups(std::vector<Candidate>& all) {
  std::stable_sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
    if (group_of(a) != group_of(b)) return group_of(a) < group_of(b);
    if (a.is_usable() != b.is_usable()) return a.is_usable();
    if (a.is_usable()) return a.seconds < b.seconds;
    // Those that were costed tell more.
    return std::pair(a.seconds == 0, a.log2_qp) < std::pair(b.seconds == 0, b.log2_qp);
  });
}

/// Of those that `may_be` allows the fastest, or one nearly as fast that is smaller.
template <class MayBe>
Candidate* best_of(std::vector<Candidate>& all, const MayBe& may_be) {
  double least = 0;
  for (const Candidate& c : all)
    if (may_be(c) && (least == 0 || c.seconds < least)) least = c.seconds;
  Candidate* best = nullptr;
  const auto rank = [](const Candidate& c) {
    return std::tuple(c.memory, -c.bits, c.bootstraps, c.log_n);
  };
  for (Candidate& c : all)
    if (may_be(c) && c.seconds <= kSameTime * least && (!best || rank(c) < rank(*best))) best = &c;
  return best;
}

/// The one that will be compiled. A scheme that leaves nothing open is not chosen by cost: it
/// bootstraps only where its levels do not fit, and precisely where that is possible.
void mark_chosen(std::vector<Candidate>& all, const CompileOptions& options) {
  const auto is_possible = [&](const Candidate& c) {
    return c.packing == packing_of(options) && c.is_usable();
  };
  Candidate* best = nullptr;
  if (options.open.any()) {
    best = best_of(all, is_possible);
  } else {
    for (const std::string_view preset : {"", "precise", "fast"})
      if (best == nullptr)
        best = best_of(all, [&](const Candidate& c) {
          return is_possible(c) && c.preset == preset && c.secret == options.scheme.secret &&
                 !c.has_fewest_bootstraps;
        });
  }
  for (Candidate& c : all) c.is_chosen = &c == best;
}

std::string one_decimal(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

}  // namespace

std::string Candidate::kind() const {
  std::string text = packing == Packing::packed ? "packed, " : "per branch, ";
  if (preset.empty()) return text + "leveled";
  const std::string count = bootstraps == 0 ? std::string() : std::to_string(bootstraps) + " ";
  return text + count + preset + (bootstraps == 1 ? " bootstrap" : " bootstraps");
}

std::vector<Candidate> plan_candidates(const CompileOptions& options, const PackNet& pack,
                                       const Progress& progress) {
  std::vector<Candidate> all;
  const i64 first = options.open.log_n ? kSmallestRing : options.scheme.log_n;
  const i64 last = options.open.log_n ? kLargestRing : options.scheme.log_n;
  PlanSearch search(options, all);
  for (i64 log_n = last; log_n >= first; --log_n) {
    if (progress)
      progress(last - log_n, last - first + 1, "plans of N = 2^" + std::to_string(log_n));
    if (search.is_hopeless(log_n)) continue;  // says so in a candidate
    try {
      const PackedNet& net = pack(packing_of(options), log_n);
      search.look_at(net);
      if (options.lists_all && net.has_branches) search.look_at(pack(Packing::separate, log_n));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::unsupported || first == last) throw;
      search.refuse(log_n, error.what());
    }
  }
  if (all.empty()) search.refuse(last, "bootstraps need special primes (log_p)");
  choose_candidate(all, options);
  return all;
}

const Candidate* choose_candidate(std::vector<Candidate>& all, const CompileOptions& options) {
  mark_chosen(all, options);
  sort_groups(all);
  const auto it =
      std::find_if(all.begin(), all.end(), [](const Candidate& c) { return c.is_chosen; });
  return it == all.end() ? nullptr : &*it;
}

void refuse_chosen(std::vector<Candidate>& all, const std::string& reason, double bits,
                   const CompileOptions& options) {
  const auto it =
      std::find_if(all.begin(), all.end(), [](const Candidate& c) { return c.is_chosen; });
  SINTER_ASSERT(it != all.end());
  Candidate& refused = *it;
  const double lost = bits > 0 ? std::max(0.0, refused.bits - bits) : 0;
  refused.is_chosen = false;
  refused.reason = reason;
  refused.was_refused = true;
  if (bits > 0) refused.bits = bits;
  for (Candidate& c : all) {
    if (lost == 0 || !c.is_usable() || c.packing != refused.packing || c.preset != refused.preset)
      continue;
    if (c.bits - lost >= options.least_bits) continue;
    c.reason = "predicted to keep " + one_decimal(c.bits) +
               " bits, of which a plan of its kind lost " + one_decimal(lost) +
               " when it was compiled and simulated: fewer than asked for (--bits)";
  }
}

bool is_same_plan(const Candidate& a, const Candidate& b) {
  const auto key = [](const Candidate& c) {
    return std::tuple(c.packing, c.log_n, c.log_scale, c.log_q0, c.special, c.secret, c.preset,
                      c.levels, c.bootstraps, c.has_fewest_bootstraps);
  };
  return key(a) == key(b);
}

std::string more_bits_by(const Candidate& c) {
  if (c.preset.empty()) return "a larger log_scale";
  std::string text = c.preset == "fast" ? "the preset \"precise\", " : "";
  if (c.secret == ckks::SecretKind::ternary) text += "a sparse secret or ";
  return text + (c.bootstraps > 1 ? "fewer bootstraps (more levels between them)"
                                  : "a chain without bootstraps");
}

Packing packing_of(const CompileOptions& options) {
  return options.packing.join_branches ? Packing::packed : Packing::separate;
}

SchemeOptions scheme_of(const Candidate& c, const SchemeOptions& scheme) {
  SchemeOptions result = scheme;
  result.log_n = c.log_n;
  result.log_scale = c.log_scale;
  result.log_q0 = c.log_q0;
  if (result.log_p != std::vector<int>(size_t(c.special), c.log_special) && c.log_special > 0)
    result.log_p.assign(size_t(c.special), c.log_special);
  result.secret = c.secret;
  if (!c.preset.empty() && result.log_q.empty()) {
    result.log_q.assign(size_t(c.levels) + 1, c.log_scale);
    result.log_q[0] = c.log_q0;
  }
  return result;
}

std::string why_none(const std::vector<Candidate>& candidates) {
  i64 largest = 0;
  for (const Candidate& c : candidates) largest = std::max(largest, c.log_n);
  std::string leveled, bootstrapped;
  for (const Candidate& c : candidates) {
    std::string& reason = c.preset.empty() ? leveled : bootstrapped;
    if (c.log_n == largest && reason.empty()) reason = c.reason;
  }
  if (leveled.empty() || bootstrapped.empty()) return leveled + bootstrapped;
  return leveled + "; with bootstraps: " + bootstrapped;
}

}  // namespace sinter::encrypted
