// SPDX-License-Identifier: Apache-2.0
// A packing and what all its candidates share: counts, levels, errors.
#pragma once
#include <algorithm>
#include <cmath>
#include <map>

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
  std::vector<double> exact;  ///< result of the image
  mutable std::map<i32, double> gains = {};
  double reference_error;  ///< of the result at kReferenceScale under a ternary secret

  explicit Net(const PackedNet& net)
      : packed(net),
        ops(net.stages, net.layouts, i64(1) << (net.log_n - 1)),
        leveled(plan_levels(net.stages)),
        exact(evaluate_stages(net.stages, net.image)[size_t(net.stages.output)]) {
    SchemeOptions scheme;
    scheme.log_n = net.log_n;
    scheme.log_scale = kReferenceScale;
    scheme.security = ckks::Security::none_for_tests;
    const auto params = ckks::CkksParams::check(
        chain_for(scheme, std::clamp(leveled.depth, 1, kMostReferenceLevels)));
    reference_error = leveled_error(net.stages, ops, net.image, params);
  }
  /// Of an error behind stage k in the result, once computed.
  double gain(i32 stage) const {
    const auto [it, fresh] = gains.try_emplace(stage, 0.0);
    if (fresh) it->second = error_gain(packed.stages, stage, packed.image, exact);
    return it->second;
  }
  /// Of the result without bootstraps.
  double error(int log_scale, ckks::SecretKind secret, int hamming_weight) const {
    const double n = std::exp2(double(packed.log_n));
    const double sparse = secret == ckks::SecretKind::sparse
                              ? std::sqrt((1.0 + hamming_weight) / (1 + 2 * n / 3))
                              : 1;
    return reference_error * std::exp2(kReferenceScale - log_scale) * sparse;
  }
  double output_range() const { return packed.ranges[size_t(packed.stages.output)]; }
};

}  // namespace sinter::encrypted::detail
