// SPDX-License-Identifier: Apache-2.0
// What the operations of a program consist of, in units that one machine performs at one speed:
// transforms of a limb, products of limbs, and so on, all of N values. Counts depend on the level,
// the special primes and the shape of a linear map alone; unit_costs.h has the seconds.
//
// With l + 1 ciphertext primes, k special ones, all = l + 1 + k and b = ceil((l + 1) / k) digits:
//
//   key switch   (b + 2) all transforms, b all products with the key
//   linear map   b all transforms once; per baby b all products with its key; per diagonal all
//                products; per giant (b + 1) all transforms and b all products; 2 all at the end
//   encoding     a diagonal of period p: one embedding and all limbs, each p / slots of a full one
//
// Source: the count of hybrid key switching with double hoisting (Bossuat et al. 2021), as
// ckks/switch_limbs.cpp and ckks/linear_evaluation.cpp perform it.
#pragma once
#include <array>
#include <string_view>

#include "base/types.h"

namespace sinter::encrypted {

enum class Unit {
  transform,     ///< one number-theoretic transform
  convert,       ///< one limb of a digit times a constant, in a conversion between bases
  key_product,   ///< one limb of a digit times both halves of a key
  baby_product,  ///< the same for a hoisted rotation, whose keys are read run by run
  baby,          ///< one limb of a hoisted rotation put in place
  giant,         ///< one limb of a rotated sum of a map added to the others
  sum,           ///< one limb of both halves of a sum over babies begun
  product,       ///< one limb of a diagonal times both halves of a baby that is in the cache
  kept,          ///< one limb of a baby kept in memory for several groups of giants
  kept_product,  ///< added to it when the babies of several groups come from memory
  embed,         ///< one special transform of all slots, values expanded
  encode,        ///< one limb of a plaintext: reduction and transform
  pass,          ///< one limb of both halves read and written
};
inline constexpr size_t kUnitCount = 13;
std::string_view name(Unit unit);

/// How often each unit.
class Work {
 public:
  double& operator[](Unit unit) { return count_[size_t(unit)]; }
  double operator[](Unit unit) const { return count_[size_t(unit)]; }
  Work& operator+=(const Work& other);
  friend Work operator+(Work a, const Work& b) { return a += b; }
  friend Work operator*(double factor, Work a);

 private:
  std::array<double, kUnitCount> count_{};
};

/// The ring and its special primes.
struct KeySwitching {
  i64 log_n = 15;
  i64 special = 0;

  i64 n() const { return i64(1) << log_n; }
  i64 slots() const { return n() / 2; }
  i64 limb_bytes() const { return n() * i64(sizeof(u64)); }
  i64 all(int level) const { return level + 1 + special; }
  /// 0 without special primes: nothing can be switched then.
  i64 digits(int level) const { return special == 0 ? 0 : (level + special) / special; }
  /// Both halves of a key for this level, in memory.
  i64 key_bytes(int level) const { return 2 * digits(level) * all(level) * limb_bytes(); }
};

/// A linear map, as far as its cost goes.
struct MapShape {
  i64 diagonals = 0, babies = 0, hoisted = 0;  ///< babies: rotations of the input, 0 included
  i64 giant_sums = 0, giants = 0;              ///< sums over babies; those that are rotated
  i64 period = 0;
};

/// One key switch at `level`: a rotation, a relinearisation.
Work switch_work(const KeySwitching& ring, int level);
/// A ciphertext of `level` to level - 1.
Work rescale_work(int level);
/// A map at `level` whose diagonals are there; work_bytes as in ckks::LinearOptions, of which
/// `making` says whether the diagonals are encoded on the fly and take their part.
Work linear_work(const KeySwitching& ring, int level, const MapShape& map, bool making = true,
                 i64 work_bytes = i64(512) << 20);
/// The map's diagonals encoded for `level`, special primes included.
Work encode_work(const KeySwitching& ring, int level, const MapShape& map);
/// A vector of this period encoded for `level` without the special primes.
Work encode_vector_work(const KeySwitching& ring, int level, i64 period);
/// The diagonals, encoded.
i64 encoded_bytes(const KeySwitching& ring, int level, const MapShape& map);
/// The largest memory that a map takes beside its operands (one of each image), its keys and
/// diagonals encoded ahead, when all of its own are encoded on the fly.
i64 linear_memory(const KeySwitching& ring, int level, const MapShape& map,
                  i64 work_bytes = i64(512) << 20, i64 images = 1);

}  // namespace sinter::encrypted
