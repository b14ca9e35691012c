// SPDX-License-Identifier: Apache-2.0
// One linear map computed in parts, by several machines perhaps, in two phases (the formulas are in
// linear_apply.cpp, L = level + 1 + k limbs):
//
//   sums      by limbs: everything before a key switch of a giant is done for each prime alone, so
//             a part makes some limbs of all V_g and repeats nothing big: babies, keys and
//             diagonals are of its own limbs
//   giants    by giants: w_g = ModDown(V_g,1) needs all limbs of V_g,1. A part has some giants and
//             gets the limbs of those from all parts of the first phase
//
// What is linear in V_g,0 and the giant 0, which is not switched, stay where they were made: a part
// of the first phase has its own limbs of
//
//   sum_g sigma_g(V_g,0) + (0, V_0,1)       and the second phase adds  sum_g <digits(w_g), key_g>
//
// so that one polynomial of each giant is exchanged, not two. All sums are exact modulo each prime,
// so the one division by P at the end gives the very bytes of apply_linear, however the map is cut.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "ckks/linear.h"

namespace sinter::ckks {

/// Limbs [first, last) of q_0..q_level, p_0..p_{k-1}.
struct LimbRange {
  int first = 0, last = 0;
  int size() const { return last - first; }
};

/// Some limbs of polynomials modulo Q_level P, NTT form: c_1 of one V_g (one polynomial), or a term
/// of a result before its division by P (two). Move-only.
struct LinearPart {
  int level = -1, first_limb = 0;
  double scale = 0;  ///< of the result
  u64 params_hash = 0;
  std::vector<ring::RnsPoly> polys;  ///< of equally many limbs

  LimbRange limbs() const { return {first_limb, first_limb + polys.front().limbs()}; }
};

/// What the first phase makes of some limbs.
struct LimbSums {
  std::vector<LinearPart> rows;  ///< [giant of the plan]: c_1 of V_g; no polynomial for giant 0
  LinearPart total;              ///< a term of the result
};

/// First phase: the sums over babies at the limbs `own`, at most `chunk` limbs at a time, each time
/// given to emit, from the lowest limb on.
/// keys    those of the babies; only their own limbs are read
/// cost    one decomposition and the embedding of all diagonals (once more per chunk where
///         work_bytes does not hold all of them); of the rest of apply_linear without its giants
///         the share of the limbs
/// throws  as apply_linear; Error(bad_argument) when `own` is empty or outside
void sum_limbs(const Context& context, const LinearPlan& plan, const DiagonalSource& source,
               double plain_scale, const Ciphertext& x, const EvaluationKeys& keys,
               ThreadPool& pool, LimbRange own, int chunk,
               const std::function<void(LimbSums)>& emit, const LinearOptions& options = {});

/// A row of the first phase and the giant that it belongs to.
struct GiantRow {
  i64 giant;  ///< of the plan
  const LinearPart* part;
};

/// Second phase: the term of the result that the giants [from, to) give, giant 0 left out. Horner's
/// form is a chain: all giants or none.
/// rows    of each of these giants every limb at least once
/// throws  Error(bad_argument): rows that do not fit or are missing, a rotation without key
LinearPart add_giants(const Context& context, const LinearPlan& plan, i64 from, i64 to,
                      std::span<const GiantRow> rows, const EvaluationKeys& keys, ThreadPool& pool);

/// apply_linear's result from its terms: those of all limbs and of all giants.
/// terms   of one level, scale and set of parameters, two polynomials each, every limb in one of
///         them at least
/// cost    an addition per limb, then one division by P
/// throws  Error(bad_argument) when they differ, belong to other parameters or leave a limb out
Ciphertext finish_linear(const Context& context, std::span<const LinearPart* const> terms,
                         ThreadPool& pool);

}  // namespace sinter::ckks
