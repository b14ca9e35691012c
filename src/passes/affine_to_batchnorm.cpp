// SPDX-License-Identifier: Apache-2.0
// Turns a product and a sum per channel that nothing could absorb into one BatchNormalization.
//
//   before   y = Add(Mul(x, s), t)                   after   y = BatchNormalization(x, s, t, 0, 1)
//
// with epsilon 0, so that the statistics change nothing. Sub, Div, Neg and either order of sum and
// product too. Legality: f32 or f64 (the types that runtimes normalize in); x has rank 2 or more
// and a number of channels, axis 1; both constants vary along axis 1 or along none; one reader
// between. Not in the profile fhe, which has ChannelAffine. Runs after all that folds or recognises
// arithmetic. Products and sums are taken in the same order, coefficients rounded once (E1).

#include "passes/detail/affine_map.h"
#include "passes/detail/channel.h"
#include "passes/detail/edit.h"
#include "passes/detail/fold_all.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

/// outer(inner(x)) per channel; nullopt when one varies along another axis.
std::optional<passes::AffineMap> composed(const passes::AffineMap& outer,
                                          const passes::AffineMap& inner, i64 channels) {
  passes::AffineMap map{1, {}, {}};
  for (const passes::AffineMap* part : {&outer, &inner})
    if (!part->is_uniform() && (part->axis != 1 || part->count() != channels)) return std::nullopt;
  for (i64 c = 0; c < channels; ++c) {
    map.scale.push_back(outer.a(c) * inner.a(c));
    map.shift.push_back(outer.a(c) * inner.b(c) + outer.b(c));
  }
  return map;
}

/// "" when done, a reason, or nullopt when `outer` is not the second of a pair.
std::optional<std::string> fuse(Graph& g, const passes::AffineNode& outer) {
  const NodeId inner_id = g.value(outer.x).producer;
  if (!inner_id.valid() || !passes::is_affine_arithmetic(g.node(inner_id).op)) return std::nullopt;
  std::string reason;
  const std::optional<passes::AffineNode> inner = passes::affine_node(g, inner_id, reason);
  const DType type = g.dtype(outer.x);
  const std::optional<i64> channels = passes::channels(g.shape(outer.x));
  if (!inner || !channels || *channels < 1 || (type != DType::f32 && type != DType::f64))
    return std::nullopt;
  if (!passes::has_one_reader(g, outer.x)) return passes::why_not_one_reader(g, outer.x);
  const auto map = composed(outer.map, inner->map, *channels);
  if (!map) return "it does not vary along the channels alone";
  if (std::string why = passes::rounding_refusal(type, map->scale, map->scale); !why.empty())
    return why;
  if (!passes::all_finite(type, map->shift)) return "a folded constant is not finite";
  Rewrite rewrite(g, "affine_to_batchnorm", {inner_id, outer.node});
  const auto vector = [&](const std::vector<double>& values) {
    return g.add_constant(passes::rounded(type, {*channels}, values));
  };
  const std::vector<double> zeros(size_t(*channels), 0), ones(size_t(*channels), 1);
  const NodeId bn =
      g.add_node(Op::BatchNormalization,
                 {inner->x, vector(map->scale), vector(map->shift), vector(zeros), vector(ones)},
                 {{"epsilon", 0.0f}}, {}, g.node(inner_id).name);
  passes::replace_and_erase(g, outer.y, g.node(bn).outputs[0]);
  return rewrite.commit() ? std::optional<std::string>("") : std::nullopt;
}

}  // namespace

PassStats affine_to_batchnorm(Graph& graph, const PassOptions& options) {
  PassStats stats;
  if (options.profile == Profile::fhe || options.max_opset < 9) return stats;
  stats.changed = passes::fold_all(graph, stats.skipped, passes::is_affine_arithmetic,
                                   [&](const passes::AffineNode& f) { return fuse(graph, f); });
  return stats;
}

}  // namespace sinter
