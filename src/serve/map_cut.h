// SPDX-License-Identifier: Apache-2.0
// One linear map for several workers: part p of P sums some limbs of everything, then switches some
// giants (ckks/linear_parts.h). Part 0 finishes the map.
//
//   limbs    equally many for each; in a few chunks, so that the first are on their way while the
//            last are computed
//   giants   those that are rotated, equally many for each, the earlier parts one more; a chain
//            (Horner's form) is part 0's
//
// Everybody computes the same cut from the program and P, so that it need not be sent.
#pragma once
#include <optional>
#include <vector>

#include "ckks/linear_parts.h"

namespace sinter::serve {

/// As much of a map as its cut depends on.
struct MapOutline {
  int limbs = 0;              ///< level + 1 + k
  std::vector<i64> switched;  ///< the giants of the plan that are rotated, ascending
  bool is_chain = false;
};
MapOutline outline_of(const ckks::LinearPlan& plan, int level, i64 special);

enum class PartKind : u32 {
  row = 0,     ///< limbs of c_1 of a giant's sum
  limbs = 1,   ///< a term of the result: limbs of the first phase
  giants = 2,  ///< a term of the result: giants of the second
};

/// Names what travels between parts, in one number below kNoPart.
struct PartId {
  PartKind kind = PartKind::row;
  int limb = 0;   ///< the first one; 0 of PartKind::giants
  i64 giant = 0;  ///< of the plan: that of a row, the first of PartKind::giants; else 0

  static constexpr int kMaxLimbs = 1 << 10;
  static constexpr i64 kMaxGiants = i64(1) << 20;
  u32 number() const { return u32(kind) << 30 | u32(limb) << 20 | u32(giant); }
  /// Nothing when the number is of no kind.
  static std::optional<PartId> of(u32 number);
};

/// thread: immutable
class MapCut {
 public:
  /// Every part has a limb then.
  static i64 most_parts(const MapOutline& outline) { return outline.limbs; }
  /// parts in [1, most_parts]
  /// throws  Error(bad_input) otherwise
  MapCut(const MapOutline& outline, i64 parts);

  i64 parts() const { return parts_; }
  ckks::LimbRange limbs(i64 part) const;
  int chunk() const { return chunk_; }  ///< limbs at a time
  i64 switch_count(i64 part) const { return border(part + 1) - border(part); }
  /// Giants of the plan, an empty range when it switches none.
  std::pair<i64, i64> giants(i64 part) const;
  /// The part that switches a giant.
  i64 owner(i64 giant) const;

  /// What part `from` computes in the first phase for part `to`: rows, and for part 0 its terms.
  std::vector<PartId> sums(i64 from, i64 to) const;
  /// What part 0 adds up: terms of that part.
  std::vector<PartId> terms(i64 part) const;
  i64 term_count() const;
  /// Limbs of a part that is in one of the lists above.
  int limbs_of(const PartId& id) const;

 private:
  i64 border(i64 part) const;  ///< of outline_.switched
  std::vector<int> chunks(i64 part) const;

  MapOutline outline_;
  i64 parts_;
  int chunk_;
};

}  // namespace sinter::serve
