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
    return a.is_usable() ? a.seconds < b.seconds : a.log2_qp < b.log2_qp;
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
          return is_possible(c) && c.preset == preset && c.secret == options.scheme.secret;
        });
  }
  if (best != nullptr) best->is_chosen = true;
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
  mark_chosen(all, options);
  sort_groups(all);
  return all;
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
