// SPDX-License-Identifier: Apache-2.0
// Moves padding into the pool that reads it.
//
//   before   y = AveragePool(Pad(x, p), k)           after   y = AveragePool(x, k) pads+p,
//                                                            count_include_pad=1
//   before   y = MaxPool(Pad(x, p, -inf), k)         after   y = MaxPool(x, k) pads+p
//
// Legality: mode constant; no padding of batch or channels; no negative pad; one reader; the pool
// has auto_pad NOTSET or VALID, ceil_mode 0, dilations 1, and along every axis less padding in
// total than the kernel is long, so that each window holds an element of x.
//   AveragePool  the value is 0, and the pool pads nothing itself or counts what it pads
//   MaxPool      the value is the lowest of its type, or 0 below which x cannot be; Indices unused
// Left alone (counted as skipped): those that break a condition. The same elements (E0).

#include <algorithm>
#include <limits>

#include "passes/detail/edit.h"
#include "passes/detail/facts.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

using passes::input_or_none;

/// Pads of the spatial axes, begins then ends; nullopt when the Pad does anything else.
std::optional<std::vector<i64>> spatial_pads(const Graph& g, const Node& pad) {
  const Tensor* pads = g.constant(pad.inputs[1]);
  if (pads == nullptr || input_or_none(pad, 3).valid()) return std::nullopt;
  const std::vector<i64> p = pads->as_ints();
  const size_t rank = p.size() / 2;
  if (rank < 3 || p.size() % 2 != 0) return std::nullopt;
  if (std::any_of(p.begin(), p.end(), [](i64 v) { return v < 0; })) return std::nullopt;
  if (p[0] != 0 || p[1] != 0 || p[rank] != 0 || p[rank + 1] != 0) return std::nullopt;
  std::vector<i64> spatial(p.begin() + 2, p.begin() + i64(rank));
  spatial.insert(spatial.end(), p.begin() + i64(rank) + 2, p.end());
  return spatial;
}

/// No element of the type is below `value`.
bool is_lowest(DType type, double value) {
  switch (type) {
    case DType::f32:
      return value <= double(std::numeric_limits<float>::lowest());
    case DType::f64:
      return value <= std::numeric_limits<double>::lowest();
    case DType::f16:
      return value <= -65504;
    case DType::i8:
      return value <= -128;
    case DType::u8:
      return value <= 0;
    default:
      return false;
  }
}

bool may_pad_with(const Graph& g, const Node& pad, const Node& pool) {
  const ValueId v = input_or_none(pad, 2);
  const std::optional<double> value = v.valid() ? passes::scalar_value(g, v) : 0.0;
  if (!value) return false;
  if (pool.op == Op::AveragePool) return *value == 0;
  return is_lowest(g.dtype(pad.inputs[0]), *value) ||
         (*value == 0 && passes::is_never_negative(g, pad.inputs[0]));
}

/// Why `pad` cannot move into `pool`; `pads` are the sums when it can.
std::string refusal(const Graph& g, const Node& pool, const Node& pad, std::vector<i64>& pads) {
  if (std::string why = passes::why_not_one_reader(g, pad.outputs[0]); !why.empty()) return why;
  if (pad.attributes.text("mode", "constant") != "constant") return "the Pad mode is not constant";
  const auto more = spatial_pads(g, pad);
  if (!more) return "the Pad is not constant, or crops, or adds to batch or channels";
  if (!may_pad_with(g, pad, pool)) return "the Pad value may win the window";
  if (!passes::only_first_output_used(g, pool)) return "the Indices are used";
  const std::string auto_pad = pool.attributes.text("auto_pad", "NOTSET");
  if (auto_pad != "NOTSET" && auto_pad != "VALID") return "the pool pads by " + auto_pad;
  if (pool.attributes.integer("ceil_mode", 0) != 0) return "the pool rounds up";
  for (i64 d : pool.attributes.integers("dilations"))
    if (d != 1) return "the pool is dilated";
  pads.assign(more->size(), 0);
  if (auto_pad == "NOTSET") pads = pool.attributes.integers("pads", pads);
  const bool pads_itself = std::any_of(pads.begin(), pads.end(), [](i64 p) { return p != 0; });
  if (pool.op == Op::AveragePool && pads_itself &&
      pool.attributes.integer("count_include_pad", 0) == 0)
    return "the pool does not count its own padding";
  const std::vector<i64> kernel = pool.attributes.integers("kernel_shape");
  if (pads.size() != more->size() || 2 * kernel.size() != pads.size())
    return "the pool has other axes";
  for (size_t i = 0; i < pads.size(); ++i) pads[i] += (*more)[i];
  for (size_t i = 0; i < kernel.size(); ++i)
    if (pads[i] + pads[kernel.size() + i] >= kernel[i]) return "a window could hold padding alone";
  return "";
}

}  // namespace

PassStats fuse_pad_into_pool(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (NodeId id : graph.topological_order()) {
    const Node pool = graph.node(id);
    if (pool.op != Op::AveragePool && pool.op != Op::MaxPool) continue;
    const NodeId pad_id = graph.value(pool.inputs[0]).producer;
    if (!pad_id.valid() || graph.node(pad_id).op != Op::Pad) continue;
    std::vector<i64> pads;
    if (std::string why = refusal(graph, pool, graph.node(pad_id), pads); !why.empty()) {
      stats.skipped.push_back({graph.describe(id), why});
      continue;
    }
    Rewrite rewrite(graph, "fuse_pad_into_pool", {pad_id, id});
    graph.erase_attribute(id, "auto_pad");
    graph.set_attribute(id, "pads", std::move(pads));
    if (pool.op == Op::AveragePool) graph.set_attribute(id, "count_include_pad", i64(1));
    graph.set_input(id, 0, graph.node(pad_id).inputs[0]);
    graph.infer(id);
    passes::erase_if_dead(graph, pad_id);
    if (rewrite.commit()) ++stats.changed;
  }
  return stats;
}

}  // namespace sinter
