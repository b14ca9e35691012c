// SPDX-License-Identifier: Apache-2.0
// Turns an inference-mode BatchNormalization that nothing could absorb into ChannelAffine.
//
//   before   y = BatchNormalization(x, gamma, beta, mean, var)
//   after    y = ChannelAffine(x, s, t)  =  s*x + t
//
//   s = gamma / sqrt(var + epsilon)      t = beta - mean * s
//
// Only in the profile fhe: ChannelAffine is an operator of our own. Left alone (counted as
// skipped): training mode, parameters that are not constants. Computed in double, rounded once
// (E1).

#include "passes/detail/channel.h"
#include "passes/detail/edit.h"
#include "passes/detail/fold_all.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

std::optional<std::string> replace(Graph& graph, const passes::AffineNode& f) {
  const DType type = graph.dtype(f.x);
  if (!graph.shape(f.x)) return "its rank is not known";
  if (!passes::all_finite(type, f.map.scale) || !passes::all_finite(type, f.map.shift))
    return "a coefficient is not finite";
  const i64 rank = std::ssize(*graph.shape(f.x));
  Rewrite rewrite(graph, "batchnorm_to_affine", {f.node});
  const auto parameter = [&](std::vector<double> values) {
    const Tensor* gamma = graph.constant(graph.node(f.node).inputs[1]);
    if (f.map.is_uniform()) values.assign(size_t(gamma->size()), values[0]);
    return graph.add_constant(passes::channel_parameter(type, rank, values));
  };
  const ValueId scale = parameter(f.map.scale), shift = parameter(f.map.shift);
  const NodeId affine =
      graph.add_node(Op::ChannelAffine, {f.x, scale, shift}, {}, {}, graph.node(f.node).name);
  passes::replace_and_erase(graph, f.y, graph.node(affine).outputs[0]);
  return rewrite.commit() ? std::optional<std::string>("") : std::nullopt;
}

}  // namespace

PassStats batchnorm_to_affine(Graph& graph, const PassOptions& options) {
  PassStats stats;
  if (options.profile != Profile::fhe) return stats;
  stats.changed = passes::fold_all(graph, stats.skipped, passes::is_batchnorm,
                                   [&](const passes::AffineNode& f) { return replace(graph, f); });
  return stats;
}

}  // namespace sinter
