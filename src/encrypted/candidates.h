// SPDX-License-Identifier: Apache-2.0
// The choice among whole plans: every ring, number of special primes, secret, packing and way of
// bootstrapping that the scheme leaves open, each costed from counts that are made once per packing
// (stage_ops.h), so hundreds of them take no time. A deterministic function of its arguments.
//
// The choice: among the usable ones, those within kSameTime of the least predicted seconds (the
// prediction is no better than that); of these the one with the least memory, then the most bits.
#pragma once
#include <functional>
#include <vector>

#include "base/progress.h"
#include "encrypted/candidate.h"
#include "encrypted/compile.h"
#include "encrypted/layout.h"
#include "encrypted/stage_ops.h"

namespace sinter::encrypted {

/// A network packed for rings of 2^log_n.
struct PackedNet {
  Packing packing = Packing::packed;
  i64 log_n = 0;
  bool has_branches = false;  ///< that share ciphertexts
  StageGraph stages;
  std::vector<Layout> layouts;
  std::vector<double> ranges;  ///< largest |value| of every stage
  std::vector<double> image;   ///< one calibration input, for errors
};
/// Packs for a ring, once; the result stays valid. throws Error(unsupported) when a tensor does not
/// fit the slots
using PackNet = std::function<const PackedNet&(Packing packing, i64 log_n)>;

/// What the options ask for. Only that one can be chosen; lists_all shows the other beside it, for
/// networks with branches.
Packing packing_of(const CompileOptions& options);

inline constexpr double kSameTime = 1.05;

/// Every candidate that was looked at. In each group of one kind and ring: usable ones first, by
/// seconds. At most one is chosen; none when none is usable.
///
/// cost    packing for each ring that is looked at, one counting of diagonals each; then
///         microseconds a candidate
std::vector<Candidate> plan_candidates(const CompileOptions& options, const PackNet& pack,
                                       const Progress& progress = {});

/// Chooses among those that are usable and sorts them as plan_candidates does.
/// out     into `all`; null when none is usable
const Candidate* choose_candidate(std::vector<Candidate>& all, const CompileOptions& options);

/// The chosen one was compiled and cannot be used: `reason`. Where it keeps `bits` (0: unknown),
/// fewer than predicted, its like (packing, preset) are taken to lose as many, and refused when
/// that leaves fewer than asked for.
void refuse_chosen(std::vector<Candidate>& all, const std::string& reason, double bits,
                   const CompileOptions& options);

/// True when both are the same way of running the network.
bool is_same_plan(const Candidate& a, const Candidate& b);

/// What would give a result more bits than this plan's: "a larger log_scale", ...
std::string more_bits_by(const Candidate& candidate);

/// The scheme with everything that the candidate decides.
SchemeOptions scheme_of(const Candidate& candidate, const SchemeOptions& scheme);

/// What to say when no candidate is usable: the reasons of those of the largest ring that came
/// nearest, without bootstraps and with them.
std::string why_none(const std::vector<Candidate>& candidates);

}  // namespace sinter::encrypted
