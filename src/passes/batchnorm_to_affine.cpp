// SPDX-License-Identifier: Apache-2.0
// Turns an inference-mode BatchNormalization that nothing could absorb into ChannelAffine.
//
//   before   y = BatchNormalization(x, gamma, beta, mean, var)
//   after    y = ChannelAffine(x, s, t)  =  s*x + t
//
//   s = gamma / sqrt(var + epsilon)      t = beta - mean * s
//
// Left alone (counted as skipped): training mode, parameters that are not constants, f16.
// Computed in double, rounded once (E1).

#include "passes/detail/batchnorm.h"
#include "passes/detail/edit.h"

namespace sinter {

PassStats batchnorm_to_affine(Graph& graph) {
  return passes::fold_batchnorms(graph, [&](NodeId id, const passes::Affine& f) {
    const DType type = graph.dtype(f.x);
    if (!passes::all_finite(type, f.scale) || !passes::all_finite(type, f.shift))
      return std::optional<std::string>("a coefficient is not finite");
    const i64 rank = std::ssize(*graph.shape(f.x));
    const ValueId scale = graph.add_constant(passes::channel_parameter(type, rank, f.scale));
    const ValueId shift = graph.add_constant(passes::channel_parameter(type, rank, f.shift));
    const ValueId y = graph.node(id).outputs[0];
    const NodeId affine =
        graph.add_node(Op::ChannelAffine, {f.x, scale, shift}, {}, {}, graph.node(id).name);
    passes::replace_and_erase(graph, y, graph.node(affine).outputs[0]);
    return std::optional<std::string>("");
  });
}

}  // namespace sinter
