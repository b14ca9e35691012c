// SPDX-License-Identifier: Apache-2.0
// The two inner loops of a linear map, on one run of positions of one limb: a switched and rotated
// pair (baby steps, and the end of a giant step), and the sum of a giant's diagonals times babies.
// Babies of a run are kept as centred doubles, 8 positions of both halves of one baby together,
// the babies of the same positions next to each other:
//
//   (position p, baby b, half h)  at  (p / 8) * 16 babies + 16 b + 8 h + p % 8
//
// so that a sum over babies reads memory in order, and all giants read what the first one brought
// into the cache. Every instruction set gives the same residues.
// checked by the caller: shapes. thread: safe on distinct outputs.
#pragma once
#include <span>
#include <vector>

#include "base/cpu.h"
#include "ring/kernels.h"
#include "ring/modulus.h"

namespace sinter::ckks::detail {

/// Positions of a line of u64 or doubles, and of one step of the loops.
inline constexpr i64 kLine = 8;
/// The longest run.
inline constexpr i64 kMaxRun = 512;

/// The permutation of an automorphism in transform order, cut into runs. It takes every aligned
/// run of 4, 8, ... positions from one aligned run, so a run is done in the order of the residues
/// that it comes from, four at a time. Immutable; borrows the permutation.
struct RunOrder {
  struct Step {
    u8 destination;  ///< four outputs of the run, 4 destination .. + 3
    u8 shuffle;      ///< two bits for each: which of the four inputs
  };
  struct Run {
    i64 from;           ///< the inputs are from .. from + size - 1, in order
    const Step* steps;  ///< size / 4
  };
  /// size  a power of two from 8 to kMaxRun that divides the length
  RunOrder(std::span<const u32> permutation, i64 size);
  RunOrder() = default;
  Run run(i64 begin) const { return {from_[size_t(begin / size)], steps_.data() + begin / 4}; }

  const u32* permutation = nullptr;
  i64 size = 0;

 private:
  std::vector<i64> from_;
  std::vector<Step> steps_;
};

/// Positions [begin, begin + size) of a rotated pair: with i = permutation[position],
///   half 0   sum_d digit_d[i] b_d[i] + base_factor base[i]
///   half 1   sum_d digit_d[i] a_d[i]
/// size is that of the order and divides begin.
struct SwitchedRun {
  std::span<const ring::PairTerm> digits;  ///< factor = digit, first = b, second = a; shift 0
  const u64* base;                         ///< residues; nullptr: nothing is added
  u64 base_factor;
  const RunOrder* order;
  i64 begin;
};

/// Writes the run as one baby of `babies`; out is its first value. Residues centred up to rounding:
/// magnitude at most 0.51 q.
/// next  a run whose keys come next, so that they are on their way; may be nullptr
void switch_to_baby(const SwitchedRun& run, const ring::Modulus& q, const SwitchedRun* next,
                    i64 babies, double* out, Isa isa = active_isa());
/// sum0 += half 0, sum1 += half 1; rows of whole limbs, positions as in the run.
void switch_and_add(const SwitchedRun& run, const ring::Modulus& q, u64* sum0, u64* sum1,
                    Isa isa = active_isa());
/// The run as it is, times `factor`: what the rotation by 0 gives. first or second nullptr: zeros.
void copy_to_baby(const u64* first, const u64* second, u64 factor, const ring::Modulus& q, i64 size,
                  i64 babies, double* out, Isa isa = active_isa());

/// `size` positions (a multiple of 8) of sum_t factor_t * baby[which_t], both halves.
struct DiagonalRun {
  const double* babies;        ///< from the first position of the run on
  i64 baby_count;              ///< of the layout
  std::span<const int> which;  ///< baby of each term
  i64 size;
};
/// One factor per term, a residue as a double, for all positions.
void sum_constant(const DiagonalRun& run, const double* factors, const ring::Modulus& q, u64* out0,
                  u64* out1, Isa isa = active_isa());
/// Which way rows of factors are read.
enum class Direction { forward, backward };
/// factor_t of position i is rows[t][i >> shift], or rows[t][-(i >> shift)]; shift 0, 1 or 2.
void sum_rows(const DiagonalRun& run, const u64* const* rows, int shift, Direction direction,
              const ring::Modulus& q, u64* out0, u64* out1, Isa isa = active_isa());

// Only where Isa::avx2 runs.
void switch_to_baby_avx2(const SwitchedRun& run, const ring::Modulus& q, const SwitchedRun* next,
                         i64 babies, double* out);
void switch_and_add_avx2(const SwitchedRun& run, const ring::Modulus& q, u64* sum0, u64* sum1);
void sum_constant_avx2(const DiagonalRun& run, const double* factors, const ring::Modulus& q,
                       u64* out0, u64* out1);
void sum_rows_avx2(const DiagonalRun& run, const u64* const* rows, int shift, Direction direction,
                   const ring::Modulus& q, u64* out0, u64* out1);
void sum_rows_avx512(const DiagonalRun& run, const u64* const* rows, int shift, Direction direction,
                     const ring::Modulus& q, u64* out0, u64* out1);  ///< Isa::avx512ifma
void copy_half_avx2(const u64* row, u64 factor, const ring::Modulus& q, i64 size, i64 babies,
                    double* out);

}  // namespace sinter::ckks::detail
