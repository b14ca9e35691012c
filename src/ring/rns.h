// SPDX-License-Identifier: Apache-2.0
// The residue number system of leveled arithmetic: primes q_0..q_L ("Q_l" = q_0 * ... * q_l at
// level l) and special primes p_0..p_{k-1} ("P"), with the maps between their products.
//
// Base conversion of x modulo F = f_1 * ... * f_m to a prime t, with the correction counted in
// floating point:
//   y_i = x (F/f_i)^-1 mod f_i       v = round(sum y_i / f_i)       out = sum y_i (F/f_i) - v F
// which is the centred representative of x (in [-F/2, F/2)) modulo t; only where |x| is within
// m 2^-50 F of F/2 may the other representative come out, which differs by F.
//
// ModUp      digit j (the primes of one group of k) of a polynomial, extended to Q_l P
// ModDown    round(x / P) from Q_l P to Q_l          rescale    round(x / q_l) from Q_l to Q_(l-1)
// Both divisions round to nearest: the error per coefficient is at most 1/2 (+ m 2^-50).
//
// Source: Halevi, Polyakov, Shoup 2019 (floating-point correction); Cheon, Han, Kim, Kim, Song
// 2018.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/threads.h"
#include "ring/ntt.h"
#include "ring/poly.h"

namespace sinter::ring {

/// Conversion from one set of primes to others. Immutable. thread: safe to share.
class BaseConverter {
 public:
  /// 1 to 16 sources, all primes distinct from each other; a target that is also a source is
  /// allowed (it need not be asked for).
  BaseConverter(std::vector<Modulus> from, std::vector<Modulus> to);

  struct Target {
    int index;  ///< of `to`
    u64* out;   ///< N residues
  };
  /// Coefficients [begin, end) of the rows in[0..sources-1], canonical residues in coefficient
  /// form, to each target; canonical. Rows do not overlap.
  void convert(std::span<const u64* const> in, std::span<const Target> targets, i64 begin,
               i64 end) const;

  /// The two steps of convert() for callers that take the targets at different times: the y_i and
  /// v + 1/2 + (what floor drops) of every coefficient, rows of N doubles.
  struct Rows {
    double *y, *fraction;
    i64 stride;  ///< from one y row to the next
  };
  /// The row in[i] may be the memory of row i of y.
  void prepare(std::span<const u64* const> in, const Rows& out, i64 begin, i64 end) const;
  void combine(const Rows& rows, std::span<const Target> targets, i64 begin, i64 end) const;

 private:
  std::vector<Modulus> from_, to_;
  std::vector<ShoupFactor> inverse_;  ///< (F/f_i)^-1 mod f_i
  std::vector<u64> factors_;          ///< [target][source]: (F/f_i) mod t; then -F mod t
};

/// Moduli, transforms and conversions of one N and one chain. A polynomial of level l has limbs
/// q_0..q_l; "extended" means q_0..q_l, p_0..p_{k-1}. Immutable. thread: safe to share; results do
/// not depend on the number of threads.
class RnsRing {
 public:
  /// All primes distinct and 1 modulo 2n; q not empty.
  RnsRing(i64 n, std::span<const u64> q, std::span<const u64> p);

  i64 n() const { return n_; }
  int max_level() const { return q_count_ - 1; }
  int special_count() const { return p_count_; }

  /// A polynomial of this ring whose residues the caller writes; the memory is reused
  /// (BufferCache).
  RnsPoly make_poly(int limbs) const { return RnsPoly::uninitialised(n_, limbs, true, cache_); }

  /// Prime index: q_i is i, p_j is max_level() + 1 + j.
  const Modulus& modulus(int prime) const { return tables_[size_t(prime)].modulus(); }
  const NttTables& ntt(int prime) const { return tables_[size_t(prime)]; }
  /// The prime of a limb of a polynomial of this level, extended or not.
  int prime_of(int level, int limb) const {
    return limb <= level ? limb : q_count_ + (limb - level - 1);
  }
  const Modulus& limb_modulus(int level, int limb) const { return modulus(prime_of(level, limb)); }

  /// In place; parallel over limbs.
  void to_ntt(RnsPoly& x, int level, ThreadPool& pool) const;
  void from_ntt(RnsPoly& x, int level, ThreadPool& pool) const;
  /// N small signed coefficients to `limbs` limbs in NTT form, marked secret.
  RnsPoly from_small(std::span<const signed char> coefficients, int level, int limbs) const;

  /// ceil((level + 1) / k); k >= 1.
  int digit_count(int level) const { return (level + p_count_) / p_count_; }
  /// The digits of x, each extended to Q_level P, in NTT form.
  /// x     NTT form, level + 1 limbs (more are ignored)
  /// cost  (level + 1) inverse and digits * (level + 1 + k) - (level + 1) forward transforms
  std::vector<RnsPoly> mod_up(const RnsPoly& x, int level, ThreadPool& pool) const;
  /// Only limbs [first, last) of the digits.
  std::vector<RnsPoly> mod_up(const RnsPoly& x, int level, int first, int last,
                              ThreadPool& pool) const;
  /// round(x / P): extended, NTT form, to level + 1 limbs, NTT form. Consumes x.
  /// cost  k inverse and level + 1 forward transforms
  RnsPoly mod_down(RnsPoly x, int level, ThreadPool& pool) const;
  /// The same in place for several polynomials, in parallel over them too.
  void mod_down(std::span<RnsPoly> polys, int level, ThreadPool& pool) const;
  /// round(x / q_level): level + 1 limbs to level limbs, NTT form. level >= 1.
  /// cost  1 inverse and level forward transforms
  RnsPoly rescale(const RnsPoly& x, int level, ThreadPool& pool) const;
  std::vector<RnsPoly> rescale(std::span<const RnsPoly* const> polys, int level,
                               ThreadPool& pool) const;

  /// P modulo q_i.
  u64 special_product(int i) const { return special_product_[size_t(i)]; }

  // The same steps limb by limb (rns_steps.cpp), for operations that go through a few limbs at a
  // time and keep them in the cache. "Limb" counts q_0..q_level, p_0..p_{k-1}.

  /// A limb and where to write it.
  struct LimbTarget {
    int limb;
    u64* out;
  };
  /// Writes one limb of a polynomial in NTT form.
  using LimbWriter = std::function<void(int limb, std::span<u64> out)>;

  /// A polynomial split into digits that are not extended yet.
  struct Digits {
    int level = -1, count = 0;
    RnsPoly rows;  ///< y of q_0..q_level, then one fraction per digit
  };
  /// write(limb, out) gives q_0..q_level; it is called once for each, in parallel.
  /// cost  level + 1 inverse transforms
  Digits decompose(int level, const LimbWriter& write, ThreadPool& pool) const;
  /// Does the digit contain this limb? Then its residues are those of the polynomial itself.
  bool is_own_limb(const Digits& digits, int digit, int limb) const {
    return limb <= digits.level && limb / p_count_ == digit;
  }
  /// Some limbs of one extended digit, none of them its own; NTT form.
  /// cost    one forward transform each
  /// thread  safe
  void extend(const Digits& digits, int digit, std::span<const LimbTarget> targets) const;

  /// What a division subtracts before it multiplies by the inverse: the centred remainder modulo
  /// the divisor, P or P q_level.
  struct Remainder {
    int level = -1;
    bool takes_last = false;  ///< the divisor contains q_level
    RnsPoly rows;             ///< y of q_level (when taken) and p_0..p_{k-1}, then the fraction
    int sources() const { return rows.limbs() - 1; }
  };
  /// takes_last needs level >= 1 and divides_with_last().
  Remainder make_remainder(int level, bool takes_last) const;
  bool divides_with_last() const;
  /// The row for a limb of the divisor: the caller writes the NTT form and calls prepare().
  std::span<u64> remainder_row(Remainder& remainder, int limb) const {
    return remainder.rows.limb(limb - remainder.level - (remainder.takes_last ? 0 : 1));
  }
  /// cost  one inverse transform per row
  void prepare(std::span<Remainder> remainders, ThreadPool& pool) const;
  /// Limbs of q_0..q_level (without q_level when it is taken), NTT form.
  /// cost    one forward transform each
  /// thread  safe
  void remainder_limbs(const Remainder& remainder, std::span<const LimbTarget> targets) const;
  /// 1 / divisor modulo q_i.
  const ShoupFactor& divisor_inverse(const Remainder& remainder, int i) const {
    return remainder.takes_last ? both_inverse_[size_t(remainder.level * q_count_ + i)]
                                : special_inverse_[size_t(i)];
  }
  /// 1 / q_level modulo q_i, i < level.
  const ShoupFactor& last_inverse(int level, int i) const {
    return last_inverse_[size_t(level * q_count_ + i)];
  }

  /// How many limbs of `limbs` an operation takes at a time: task t of `tasks` begins at first(t).
  struct Groups {
    int limbs, tasks;
    int first(i64 task) const { return int(limbs * task / tasks); }
  };
  /// At most `largest` limbs together, and a number of tasks that every worker has equally many of
  /// when there are enough.
  static Groups groups(int limbs, int largest, const ThreadPool& pool);

 private:
  const BaseConverter& digit_converter(int digit, int size) const {
    return digit_converters_[size_t(digit * p_count_ + size - 1)];
  }
  const BaseConverter& divisor_converter(const Remainder& remainder) const {
    return remainder.takes_last ? both_converters_[size_t(remainder.level)]
                                : special_converter_.front();
  }
  void make_converters(const std::vector<Modulus>& all);
  void make_inverses();

  i64 n_;
  int q_count_, p_count_;
  std::vector<NttTables> tables_;
  std::vector<BaseConverter> digit_converters_;   ///< [digit][primes of the digit - 1]
  std::vector<BaseConverter> special_converter_;  ///< P to every q; empty when k = 0
  std::vector<BaseConverter> both_converters_;    ///< [level]: P q_level to every q; see above
  std::vector<ShoupFactor> special_inverse_;      ///< P^-1 mod q_i
  std::vector<ShoupFactor> last_inverse_;         ///< [level][i < level]: q_level^-1 mod q_i
  std::vector<ShoupFactor> both_inverse_;         ///< [level][i < level]: (P q_level)^-1 mod q_i
  std::vector<u64> special_product_;              ///< P mod q_i
  std::shared_ptr<BufferCache> cache_;
};

}  // namespace sinter::ring
