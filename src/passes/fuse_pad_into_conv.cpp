// SPDX-License-Identifier: Apache-2.0
// Moves zero padding into the Conv that reads it.
//
//   before   y = Conv(Pad(x, [0,0,1,1, 0,0,1,1]), W)  pads=[0,0,0,0]
//   after    y = Conv(x, W)                           pads=[1,1,1,1]
//
// Legality: mode constant with value 0 (absent or a constant); no padding of batch or channels; no
// negative pad (that crops); the Conv reads the padded value as its data operand and has auto_pad
// NOTSET or VALID (SAME depends on the padded size). Left alone (counted as skipped): those that
// break a condition, and a Pad with another reader. The zeros that are summed are the same (E0).

#include <algorithm>

#include "passes/detail/edit.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

/// Why `pad` cannot move into `conv`; empty when it can.
std::string refusal(const Graph& g, const Node& conv, const Node& pad) {
  if (std::string why = passes::why_not_one_reader(g, pad.outputs[0]); !why.empty()) return why;
  if (pad.attributes.text("mode", "constant") != "constant") return "the Pad mode is not constant";
  const Tensor* pads = g.constant(pad.inputs[1]);
  if (pads == nullptr) return "the pads are not a constant";
  if (pad.inputs.size() > 3 && pad.inputs[3].valid()) return "the Pad names its axes";
  if (pad.inputs.size() > 2 && pad.inputs[2].valid()) {
    const Tensor* value = g.constant(pad.inputs[2]);
    if (value == nullptr || value->size() != 1 || value->as_double(0) != 0)
      return "the Pad value is not zero";
  }
  const std::vector<i64> p = pads->as_ints();
  const size_t rank = p.size() / 2;
  if (rank < 3 || p.size() % 2 != 0) return "the Pad does not have spatial axes";
  if (std::any_of(p.begin(), p.end(), [](i64 v) { return v < 0; })) return "the Pad crops";
  if (p[0] != 0 || p[1] != 0 || p[rank] != 0 || p[rank + 1] != 0)
    return "the Pad adds to batch or channels";
  const std::string auto_pad = conv.attributes.text("auto_pad", "NOTSET");
  if (auto_pad != "NOTSET" && auto_pad != "VALID") return "the Conv pads by " + auto_pad;
  return "";
}

}  // namespace

PassStats fuse_pad_into_conv(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (NodeId id : graph.nodes_of(Op::Conv)) {
    for (;;) {
      const Node conv = graph.node(id);
      const Node* producer = graph.producer(conv.inputs[0]);
      if (producer == nullptr || producer->op != Op::Pad) break;
      const Node pad = *producer;
      if (std::string why = refusal(graph, conv, pad); !why.empty()) {
        stats.skipped.push_back({graph.describe(id), why});
        break;
      }
      const std::vector<i64> p = graph.constant(pad.inputs[1])->as_ints();
      const size_t rank = p.size() / 2, spatial = rank - 2;
      std::vector<i64> pads(2 * spatial, 0);
      if (conv.attributes.text("auto_pad", "NOTSET") == "NOTSET")
        pads = conv.attributes.integers("pads", pads);
      for (size_t j = 0; j < spatial; ++j) {
        pads[j] += p[2 + j];
        pads[spatial + j] += p[rank + 2 + j];
      }
      const NodeId pad_id = graph.value(pad.outputs[0]).producer;
      Rewrite rewrite(graph, "fuse_pad_into_conv", {pad_id, id});
      graph.erase_attribute(id, "auto_pad");
      graph.set_attribute(id, "pads", pads);
      graph.set_input(id, 0, pad.inputs[0]);
      graph.infer(id);
      passes::erase_if_dead(graph, pad_id);
      if (!rewrite.commit()) break;
      ++stats.changed;
    }
  }
  return stats;
}

}  // namespace sinter
