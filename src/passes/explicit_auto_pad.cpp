// SPDX-License-Identifier: Apache-2.0
// Writes auto_pad of Conv, MaxPool and AveragePool as pads.
//
//   before   Conv(x, W) auto_pad=SAME_UPPER strides=[2,2]       x [N,C,8,8], W [M,C,3,3]
//   after    Conv(x, W) pads=[0,0,1,1] strides=[2,2]
//
//   VALID       all pads 0
//   SAME_*      out = ceil(in / s);  total = max((out - 1) s + (k - 1) d + 1 - in, 0)
//               SAME_UPPER puts floor(total / 2) at the beginning, SAME_LOWER at the end
//
// SAME needs spatial sizes that are numbers. Left alone: ConvTranspose, whose rule is another; a
// pool with ceil_mode, which auto_pad overrules. Exact (E0).
#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

/// The extent of the window in elements, by axis; nullopt when it is not known.
std::optional<std::vector<i64>> window(const Graph& g, const Node& n) {
  std::vector<i64> kernel = n.attributes.integers("kernel_shape");
  if (kernel.empty() && n.op == Op::Conv) {
    const auto& weight = g.shape(n.inputs[1]);
    const auto dims = weight ? static_dims(*weight) : std::nullopt;
    if (!dims || dims->size() < 3) return std::nullopt;
    kernel.assign(dims->begin() + 2, dims->end());
  }
  const std::vector<i64> dilations = n.attributes.integers("dilations");
  for (size_t a = 0; a < kernel.size(); ++a)
    kernel[a] = (kernel[a] - 1) * (a < dilations.size() ? dilations[a] : 1) + 1;
  return kernel.empty() ? std::nullopt : std::optional(kernel);
}

/// Empty when a spatial size is no number.
std::vector<i64> same_pads(const Graph& g, const Node& n, const std::vector<i64>& extent,
                           bool upper) {
  const std::optional<Shape>& shape = g.shape(n.inputs[0]);
  if (!shape || shape->size() != extent.size() + 2) return {};
  const std::vector<i64> strides = n.attributes.integers("strides");
  std::vector<i64> pads(2 * extent.size());
  for (size_t a = 0; a < extent.size(); ++a) {
    const std::optional<i64> in = (*shape)[a + 2].value();
    if (!in) return {};
    const i64 stride = a < strides.size() ? strides[a] : 1;
    const i64 out = (*in + stride - 1) / stride;
    const i64 total = std::max<i64>((out - 1) * stride + extent[a] - *in, 0);
    pads[a] = upper ? total / 2 : total - total / 2;
    pads[a + extent.size()] = total - pads[a];
  }
  return pads;
}

std::string rewrite_pads(Graph& g, NodeId id) {
  const Node& n = g.node(id);
  const std::string mode = n.attributes.text("auto_pad", "NOTSET");
  if (n.attributes.integer("ceil_mode", 0) != 0) return "auto_pad and ceil_mode";
  const auto extent = window(g, n);
  if (!extent) return "the size of the window is not known";
  std::vector<i64> pads(2 * extent->size(), 0);
  if (mode != "VALID") pads = same_pads(g, n, *extent, mode == "SAME_UPPER");
  if (pads.empty()) return "SAME needs sizes that are numbers";
  Rewrite rewrite(g, "explicit_auto_pad", {id});
  g.erase_attribute(id, "auto_pad");
  g.set_attribute(id, "pads", pads);
  if (std::all_of(pads.begin(), pads.end(), [](i64 p) { return p == 0; }))
    g.erase_attribute(id, "pads");
  return rewrite.commit() ? "" : "the check of the rewrite failed";
}

}  // namespace

PassStats explicit_auto_pad(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (NodeId id : graph.nodes()) {
    const Node& n = graph.node(id);
    if (n.op != Op::Conv && n.op != Op::MaxPool && n.op != Op::AveragePool) continue;
    if (n.attributes.text("auto_pad", "NOTSET") == "NOTSET") continue;
    const std::string why = rewrite_pads(graph, id);
    if (why.empty())
      ++stats.changed;
    else
      stats.skipped.push_back({graph.describe(id), why});
  }
  return stats;
}

}  // namespace sinter
