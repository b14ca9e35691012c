// SPDX-License-Identifier: Apache-2.0
// A packing and what all its candidates share: counts, levels, errors.
#pragma once
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "encrypted/detail/plan_search.h"
#include "encrypted/levels.h"
#include "encrypted/stage_noise.h"

namespace sinter::encrypted::detail {

inline constexpr int kReferenceScale = 40;
inline constexpr int kMostReferenceLevels = 60;

struct PlanSearch::Net {
  const PackedNet& packed;
  StageOps ops;
  LevelPlan leveled;
  std::vector<std::vector<double>> values;  ///< of all stages for the image
  mutable std::map<i32, double> gains = {};
  mutable std::optional<int> for_one = {};
  ResultError reference_error;  ///< at kReferenceScale under a ternary secret

  explicit Net(const PackedNet& net)
      : packed(net),
        ops(net.stages, net.layouts, i64(1) << (net.log_n - 1)),
        leveled(plan_levels(net.stages)),
        values(evaluate_stages(net.stages, net.image)) {
    SchemeOptions scheme;
    scheme.log_n = net.log_n;
    scheme.log_scale = kReferenceScale;
    scheme.security = ckks::Security::none_for_tests;
    const auto params = ckks::CkksParams::check(
        chain_for(scheme, std::clamp(leveled.depth, 1, kMostReferenceLevels)));
    reference_error = leveled_error(net.stages, ops, net.image, values, params);
  }
  /// Of an error behind stage k in the result, once computed.
  double gain(i32 stage) const {
    const auto [it, fresh] = gains.try_emplace(stage, 0.0);
    if (fresh) it->second = error_gain(packed.stages, stage, values);
    return it->second;
  }
  /// Levels that a chain must leave for one bootstrap, once computed; -1: none will do.
  int levels_for_one() const {
    if (!for_one) for_one = levels_for_one_bootstrap(packed.stages);
    return *for_one;
  }
  /// Of the result without bootstraps.
  double error(int log_scale, ckks::SecretKind secret, int hamming_weight) const {
    const double n = std::exp2(double(packed.log_n));
    const double sparse = secret == ckks::SecretKind::sparse
                              ? std::sqrt((1.0 + hamming_weight) / (1 + 2 * n / 3))
                              : 1;
    return reference_error.largest * std::exp2(kReferenceScale - log_scale) * sparse;
  }
  /// How much worse than their root mean square the worst element of the result is. What reaches
  /// the result from anywhere passes the same last layers.
  double unevenness() const {
    return reference_error.root_mean_square > 0
               ? reference_error.largest / reference_error.root_mean_square
               : 1;
  }
  double output_range() const { return packed.ranges[size_t(packed.stages.output)]; }
};

}  // namespace sinter::encrypted::detail
