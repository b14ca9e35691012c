// SPDX-License-Identifier: Apache-2.0
// Fewer stages, the same function. Six rewrites, run until none applies:
//
//   select   a linear stage that only picks elements of the network's input becomes an input of its
//            own: the client arranges its data, for nothing
//   compose  A (B v + b) + a  becomes  (A B) v + (A b + a)  when B is read by A alone, or when B
//   has
//            at most one entry a row (a move, a scaling), which makes no reader more expensive
//   absorb   d .* v + e  with all of d != 0 moves into its readers: into a matrix as M diag(d),
//   into
//            a product as a shift e ./ d and a factor d of the product's result, which moves on in
//            turn. So the coefficients of a factored activation reach the next matrices, identity
//            shortcuts included, and cost no level
//   back, spread   the same against the direction of the data (detail/merge_back.h)
//   shift    v + s in front of a product moves into the stage that makes v and is taken back in v's
//            other readers
//
// When composing is worth it says detail/merge_cost.h: a level saved is weighed in diagonals, and
// by how many depends on the network.
// A linear value with several readers is never computed twice.
#pragma once
#include "encrypted/stage.h"

namespace sinter::encrypted {

struct MergeOptions {
  bool client_selects = true;    ///< allow the first rewrite
  i64 max_input = i64(1) << 20;  ///< largest input that selecting may make
};

/// out   graph.merges has a record of every rewrite with the levels that it saved (unmerged_depth
///       before and after)
/// cost  sparse products of the matrices that meet
void merge(StageGraph& graph, const MergeOptions& options = {});

}  // namespace sinter::encrypted
