// SPDX-License-Identifier: Apache-2.0
// From a sparse matrix and the layouts on both sides to diagonals. An entry (row, column, v) with
// slots r and c goes to the diagonal i = (c - r) mod m, m = min(P, B), at place
//
//   B <= P:  j = (c - i) mod P     the copy of row r (j mod B == r) that reaches column c
//   B >  P:  j = r
//
// Columns of slots that hold no element are empty, so whatever is in such a slot reaches no result.
#pragma once
#include "encrypted/layout.h"
#include "encrypted/program.h"

namespace sinter::encrypted {

/// Ways of weighing a map, in units of one full key switch.
struct MapCosts {
  ckks::LinearCosts linear;
  double diagonal = 0.25;  ///< encoding and multiplying one diagonal of full period
  double fold = 1.0;
};

struct MapCount {
  i64 diagonals = 0, hoisted = 0, giants = 0, folds = 0;
  i64 babies = 0, giant_sums = 0;  ///< hoisted and giants with those that need no rotation
  std::vector<i64> rotations;      ///< keys, folds not among them
  double cost = 0;
};

/// What build_map would make, without its values.
MapCount count_map(const SparseMatrix& m, const Layout& in, i64 in_period, const Layout& out,
                   i64 out_period, i64 slots, const MapCosts& costs = {});

/// in_period and out_period: powers of two, at least the layouts' footprints, at most slots.
/// cost  12 bytes per entry of m and what the result takes; the same result for any pool
LinearMap build_map(const SparseMatrix& m, const Layout& in, i64 in_period, const Layout& out,
                    i64 out_period, i64 slots, const MapCosts& costs, ThreadPool& pool);
LinearMap build_map(const SparseMatrix& m, const Layout& in, i64 in_period, const Layout& out,
                    i64 out_period, i64 slots, const MapCosts& costs = {});

}  // namespace sinter::encrypted
