// SPDX-License-Identifier: Apache-2.0
// Evaluation of a planned linear map, apart from where its encoded diagonals come from.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "ckks/linear.h"

namespace sinter::ckks::detail {

/// The encoded diagonals of some giants.
struct DiagonalSet {
  std::vector<std::vector<const ring::RnsPoly*>> at;  ///< [giant asked for][term]; all of one size
  std::vector<ring::RnsPoly> made;                    ///< those encoded for this set
};

/// Where they come from. Called by one thread.
struct DiagonalSupply {
  std::function<DiagonalSet(std::span<const size_t> giants)> get;
  std::function<i64(size_t giant)> bytes_to_make;  ///< memory of `made` per giant
};

/// checked by the caller: x and the plan belong to the context
Ciphertext apply_diagonals(const Context& context, const LinearPlan& plan,
                           const DiagonalSupply& diagonals, double plain_scale, const Ciphertext& x,
                           const EvaluationKeys& keys, ThreadPool& pool, i64 work_bytes);

}  // namespace sinter::ckks::detail
