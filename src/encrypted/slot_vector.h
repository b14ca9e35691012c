// SPDX-License-Identifier: Apache-2.0
// A vector of slots in compact form. The weights of a convolution recur in regular places: the
// pixels of a plane, cut at its edges. So a vector is a list of runs, each one value on a pattern
//
//   start + i stride1 + j stride0 + k        i < count1, j < count0, k < length
//
// and the patterns, few and shared by all diagonals of a map, are kept apart. Where nothing recurs
// every run is a single slot of 16 bytes.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "base/types.h"

namespace sinter::encrypted {

/// Slots relative to the first one. A count of 1 has stride 0; otherwise a stride is at least what
/// it repeats, so no slot is met twice.
struct Pattern {
  u32 length = 1, count0 = 1, stride0 = 0, count1 = 1, stride1 = 0;

  /// Slots from the first to the last; meaningful below 2^63 as long as every field is below 2^31.
  i64 extent() const {
    return i64(length) + (i64(count0) - 1) * i64(stride0) + (i64(count1) - 1) * i64(stride1);
  }
  /// Slots that it meets.
  i64 size() const { return i64(length) * i64(count0) * i64(count1); }
  /// Does it keep the rules above and lie in [0, period)? period <= 2^20
  bool is_sound(i64 period) const;
  auto operator<=>(const Pattern&) const = default;
};

using Patterns = std::vector<Pattern>;

/// `value` in the slots of pattern `pattern`, moved to `start`.
struct Run {
  u32 start, pattern;
  double value;
  bool operator==(const Run&) const = default;
};

/// A vector of `period` slots; what lies outside all runs is zero. Immutable once made.
struct SlotVector {
  i64 period = 0;
  std::vector<Run> runs;  ///< ascending starts; no slot belongs to two
  std::shared_ptr<const Patterns> patterns = std::make_shared<const Patterns>();  ///< never null

  /// Writes all `period` values; out.size() == period. thread: safe
  void expand(std::span<double> out) const;
  /// Memory of the runs; the patterns may be shared.
  i64 bytes() const { return std::ssize(runs) * i64(sizeof(Run)); }
  /// Largest absolute value.
  double largest() const;
  /// Do the runs, and the patterns that they use, keep the rules above, with finite values?
  bool is_sound() const;
  bool operator==(const SlotVector& other) const;
};

/// The compact form of a vector, without a loss: expand() gives the values back, -0 as 0.
/// Deterministic. cost: linear in the size
SlotVector to_runs(std::span<const double> values);

/// Gives all vectors one list of patterns, numbered in the order of their first use.
/// cost: one look-up per pattern of a vector
void share_patterns(std::span<SlotVector> vectors);

}  // namespace sinter::encrypted
