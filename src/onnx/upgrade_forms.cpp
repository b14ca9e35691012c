// SPDX-License-Identifier: Apache-2.0
// Upgrades of operators whose older forms differ in a default, a mode's name or what a parameter
// counts. Attributes that became inputs without further change are rows of onnx/opsets.h.
#include <algorithm>

#include "onnx/opsets.h"
#include "onnx/upgrade.h"

namespace sinter::onnx {
namespace {

/// Before 16 boxes were taken as they are; the newer default shifts them by half a pixel.
void upgrade_roi_align(Graph&, RawNode& n, i64 opset) {
  if (opset < 16) n.attributes.set("coordinate_transformation_mode", "output_half_pixel");
}

void upgrade_grid_sample(Graph&, RawNode& n, i64 opset) {
  const std::string mode = n.attributes.text("mode", "");
  if (opset < 20 && mode == "bilinear") n.attributes.set("mode", "linear");
  if (opset < 20 && mode == "bicubic") n.attributes.set("mode", "cubic");
}

/// Before 21 scale and bias had one element a group; now one a channel.
void upgrade_group_normalization(Graph& g, RawNode& n, i64 opset) {
  if (opset >= 21 || n.inputs.size() < 3) return;
  const auto& shape = g.shape(n.inputs[0]);
  const auto channels = shape && shape->size() > 1 ? (*shape)[1].value() : std::nullopt;
  const i64 groups = n.attributes.integer("num_groups", 0);
  for (size_t i : {1, 2}) {
    const Tensor* t = g.constant(n.inputs[i]);
    require(t != nullptr && channels && groups > 0 && *channels % groups == 0 &&
                t->dims() == Dims{groups},
            ErrorKind::unsupported, n.description,
            ": GroupNormalization before opset 21 is supported with constant scale and bias and a "
            "known number of channels");
    const i64 width = element_size(t->dtype());
    Tensor wide(t->dtype(), {*channels});
    for (i64 c = 0; c < *channels; ++c) {
      const auto from = t->raw().subspan(size_t(c / (*channels / groups) * width), size_t(width));
      std::copy(from.begin(), from.end(), wide.mutable_raw().begin() + c * width);
    }
    n.inputs[i] = g.add_constant(std::move(wide), n.names->fresh(n.outputs[0] + "_channels"));
  }
}

struct Row {
  std::string_view op;
  void (*upgrade)(Graph&, RawNode&, i64 opset);
};
constexpr Row kForms[] = {
    {"GridSample", upgrade_grid_sample},
    {"GroupNormalization", upgrade_group_normalization},
    {"RoiAlign", upgrade_roi_align},
};

/// An attribute of the older form as the input that it became.
void to_input(Graph& g, RawNode& n, const InputSince& row) {
  const std::string name = n.names->fresh(n.outputs[0] + "_" + std::string(row.attribute));
  Tensor t;
  if (row.kind == 'I') {
    const auto list = n.attributes.integers(row.attribute);
    t = Tensor::of<i64>({std::ssize(list)}, std::span<const i64>(list));
  } else if (row.kind == 'i') {
    const bool is_list = row.op == "TopK";  // k is a list of one number there
    t = Tensor::scalar(n.attributes.integer(row.attribute, 0));
    if (is_list) t = std::move(t).reshaped({1});
  } else {
    t = convert(Tensor::scalar(n.attributes.real(row.attribute, 0)), g.dtype(n.inputs[0]));
  }
  n.attributes.erase(row.attribute);
  if (n.inputs.size() <= row.index) n.inputs.resize(row.index + 1);
  n.inputs[row.index] = g.add_constant(std::move(t), name);
}

}  // namespace

void upgrade_form(Graph& graph, RawNode& node, i64 opset) {
  const std::string_view op = name(node.op);
  for (const InputSince& row : inputs_since())
    if (row.op == op && opset < row.opset && node.attributes.has(row.attribute))
      to_input(graph, node, row);
  for (const Row& row : kForms)
    if (row.op == op) row.upgrade(graph, node, opset);
}

}  // namespace sinter::onnx
