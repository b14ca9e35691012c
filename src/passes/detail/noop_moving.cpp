// SPDX-License-Identifier: Apache-2.0
// Nodes that move, copy or regroup elements and here do not.
//
//   Identity(x)  Dropout(x) in inference, mask unused
//   Transpose, Reshape, Flatten, Squeeze, Unsqueeze, Expand that keep shape and order
//   Slice of everything  Pad by nothing  Tile once  Resize and Upsample by 1  Concat, Sum, Max of
//   one Split into one  Gather and GatherElements in order  DepthToSpace and SpaceToDepth by 1
//   Reduce* and pooling over one element
//
// Shapes are "the same" when their canonical expressions are; a Reshape target of 0s and at most
// one -1 keeps even an unknown shape. Expand may not raise the rank. A Slice end counts as
// everything when it is at least the dimension or at least 2^31 - 1.
#include <algorithm>
#include <limits>

#include "passes/detail/edit.h"
#include "passes/detail/facts.h"
#include "passes/detail/noop.h"

namespace sinter::passes {
namespace {

constexpr ValueId kNone;

ValueId first_input(const Graph&, const Node& n, const PassOptions&) { return n.inputs[0]; }

ValueId only_input(const Graph&, const Node& n, const PassOptions&) {
  return n.inputs.size() == 1 ? n.inputs[0] : kNone;
}

ValueId only_output(const Graph& g, const Node& n, const PassOptions&) {
  return n.outputs.size() == 1 && same_shape(g, n.inputs[0], n.outputs[0]) ? n.inputs[0] : kNone;
}

ValueId dropout(const Graph& g, const Node& n, const PassOptions&) {
  return only_first_output_used(g, n) && is_pure(g, n) ? n.inputs[0] : kNone;
}

/// The axes longer than 1 keep their order.
ValueId transpose(const Graph& g, const Node& n, const PassOptions&) {
  const std::optional<Shape>& shape = g.shape(n.inputs[0]);
  std::vector<i64> perm = n.attributes.integers("perm");
  if (perm.empty() && (!shape || shape->size() > 1)) return kNone;
  if (std::is_sorted(perm.begin(), perm.end())) return n.inputs[0];
  if (!shape || !same_shape(g, n.inputs[0], n.outputs[0])) return kNone;
  std::erase_if(perm, [&](i64 axis) { return (*shape)[size_t(axis)].is(1); });
  return std::is_sorted(perm.begin(), perm.end()) ? n.inputs[0] : kNone;
}

/// A constant Reshape target that copies every dimension but at most one.
bool target_copies(const Graph& g, const Node& n) {
  const Tensor* target = g.constant(n.inputs[1]);
  const std::optional<Shape>& shape = g.shape(n.inputs[0]);
  if (target == nullptr || !shape || target->size() != std::ssize(*shape)) return false;
  if (n.attributes.integer("allowzero", 0) != 0) return false;
  i64 inferred = 0;
  for (i64 i = 0; i < target->size(); ++i) {
    const i64 entry = target->as_int(i);
    if (entry == -1)
      ++inferred;
    else if (entry != 0 && !(*shape)[size_t(i)].is(entry))
      return false;
  }
  return inferred <= 1;
}

ValueId reshape(const Graph& g, const Node& n, const PassOptions&) {
  if (same_shape(g, n.inputs[0], n.outputs[0])) return n.inputs[0];
  const std::optional<Shape>&in = g.shape(n.inputs[0]), &out = g.shape(n.outputs[0]);
  if (n.op == Op::Reshape && target_copies(g, n)) return n.inputs[0];
  return in && out && in->size() == 1 && out->size() == 1 ? n.inputs[0] : kNone;
}

/// A target of ones, no longer than the rank, enlarges nothing even where a size is unknown.
ValueId expand(const Graph& g, const Node& n, const PassOptions&) {
  if (same_shape(g, n.inputs[0], n.outputs[0])) return n.inputs[0];
  const Tensor* target = g.constant(n.inputs[1]);
  const std::optional<Shape>& in = g.shape(n.inputs[0]);
  if (target == nullptr || !in || target->size() > std::ssize(*in)) return kNone;
  const auto sizes = target->as_ints();
  return std::all_of(sizes.begin(), sizes.end(), [](i64 d) { return d == 1; }) ? n.inputs[0]
                                                                               : kNone;
}

ValueId slice(const Graph& g, const Node& n, const PassOptions&) {
  const auto list = [&](size_t i) -> std::optional<std::vector<i64>> {
    if (!has_input(n, i)) return std::vector<i64>{};
    const Tensor* t = g.constant(n.inputs[i]);
    return t == nullptr ? std::nullopt : std::optional(t->as_ints());
  };
  const auto starts = list(1), ends = list(2), axes = list(3), steps = list(4);
  if (!axes || !steps) return kNone;
  if (std::any_of(steps->begin(), steps->end(), [](i64 s) { return s != 1; })) return kNone;
  if (same_shape(g, n.inputs[0], n.outputs[0])) return n.inputs[0];
  const std::optional<Shape>& shape = g.shape(n.inputs[0]);
  if (!starts || !ends) return kNone;
  for (size_t i = 0; i < starts->size(); ++i) {
    if ((*starts)[i] != 0 || (*ends)[i] < 0) return kNone;
    if ((*ends)[i] >= std::numeric_limits<i32>::max()) continue;
    if (!shape) return kNone;
    const i64 axis = axes->empty() ? i64(i) : normalized((*axes)[i], std::ssize(*shape));
    const std::optional<i64> dim = (*shape)[size_t(axis)].value();
    if (!dim || (*ends)[i] < *dim) return kNone;
  }
  return n.inputs[0];
}

bool all_are(const Tensor* t, i64 number) {
  if (t == nullptr || t->size() > 1024) return false;
  const std::vector<i64> list = t->as_ints();
  return std::all_of(list.begin(), list.end(), [&](i64 v) { return v == number; });
}

ValueId pad(const Graph& g, const Node& n, const PassOptions&) {
  return all_are(g.constant(n.inputs[1]), 0) ? n.inputs[0] : kNone;
}

ValueId tile(const Graph& g, const Node& n, const PassOptions&) {
  const bool once = all_are(g.constant(n.inputs[1]), 1);
  return once || same_shape(g, n.inputs[0], n.outputs[0]) ? n.inputs[0] : kNone;
}

/// Resize(x, roi, scales, sizes): by 1 in every mode, or to the size that it has. Cropping by roi
/// scales by other rules.
ValueId resize(const Graph& g, const Node& n, const PassOptions&) {
  const std::string coordinates = n.attributes.text("coordinate_transformation_mode", "half_pixel");
  if (coordinates == "tf_crop_and_resize" || coordinates == "tf_half_pixel_for_nn") return kNone;
  const ValueId x = n.inputs[0];
  if (const Tensor* scales = g.constant(input_or_none(n, 2)); scales && scales->size() > 0) {
    for (i64 i = 0; i < scales->size(); ++i)
      if (scales->as_double(i) != 1) return kNone;
    return x;
  }
  return has_input(n, 3) && same_shape(g, x, n.outputs[0]) ? x : kNone;
}

ValueId upsample(const Graph& g, const Node& n, const PassOptions&) {
  return fill_value(g, input_or_none(n, 1)) == 1.0 ? n.inputs[0] : kNone;
}

/// Indices 0, 1, 2, ... along the whole axis.
ValueId gather(const Graph& g, const Node& n, const PassOptions&) {
  const Tensor* at = g.constant(n.inputs[1]);
  const std::optional<Shape>& shape = g.shape(n.inputs[0]);
  if (at == nullptr || at->rank() != 1 || !shape || shape->empty()) return kNone;
  const i64 axis = normalized(n.attributes.integer("axis", 0), std::ssize(*shape));
  if (!(*shape)[size_t(axis)].is(at->size())) return kNone;
  for (i64 i = 0; i < at->size(); ++i)
    if (at->as_int(i) != i && at->as_int(i) != i - at->size()) return kNone;
  return n.inputs[0];
}

ValueId gather_elements(const Graph& g, const Node& n, const PassOptions&) {
  const Tensor* at = g.constant(n.inputs[1]);
  if (at == nullptr || at->size() == 0 || !same_shape(g, n.inputs[0], n.outputs[0])) return kNone;
  const i64 axis = normalized(n.attributes.integer("axis", 0), at->rank());
  const i64 inner = element_count(std::span(at->dims()).subspan(size_t(axis) + 1));
  const i64 size = at->dim(axis);
  for (i64 i = 0; i < at->size(); ++i) {
    const i64 here = i / inner % size, index = at->as_int(i);
    if (index != here && index != here - size) return kNone;
  }
  return n.inputs[0];
}

ValueId depth_and_space(const Graph&, const Node& n, const PassOptions&) {
  return n.attributes.integer("blocksize", 0) == 1 ? n.inputs[0] : kNone;
}

/// Over axes of one element, kept. A sum from +0 turns -0 into +0.
ValueId reduce(const Graph& g, const Node& n, const PassOptions& options) {
  const std::string_view op = name(n.op);
  const bool adds = op == "ReduceSum" || op == "ReduceMean" || op == "ReduceProd";
  if (options.strict_zero && adds && is_float(g.dtype(n.inputs[0]))) return kNone;
  const std::optional<Shape>& shape = g.shape(n.inputs[0]);
  if (!shape || !same_shape(g, n.inputs[0], n.outputs[0])) return kNone;
  std::vector<i64> axes;
  if (has_input(n, 1)) {
    const Tensor* given = g.constant(n.inputs[1]);
    if (given == nullptr) return kNone;
    axes = given->as_ints();
  }
  if (axes.empty() && n.attributes.integer("noop_with_empty_axes", 0) != 0) return n.inputs[0];
  if (axes.empty())
    for (i64 a = 0; a < std::ssize(*shape); ++a) axes.push_back(a);
  for (i64 a : axes)
    if (!(*shape)[size_t(normalized(a, std::ssize(*shape)))].is(1)) return kNone;
  return n.inputs[0];
}

/// Windows of one element, everywhere; or a global pool of a picture of one element.
ValueId pool(const Graph& g, const Node& n, const PassOptions&) {
  const std::optional<Shape>& shape = g.shape(n.inputs[0]);
  if (!only_first_output_used(g, n)) return kNone;
  if (name(n.op).substr(0, 6) == "Global") {
    if (!shape || shape->size() < 3) return kNone;
    const bool one =
        std::all_of(shape->begin() + 2, shape->end(), [](const Dim& d) { return d.is(1); });
    return one ? n.inputs[0] : kNone;
  }
  const auto all = [&](const char* key, i64 number) {
    const std::vector<i64> list = n.attributes.integers(key);
    return std::all_of(list.begin(), list.end(), [&](i64 v) { return v == number; });
  };
  return all("kernel_shape", 1) && all("strides", 1) && all("pads", 0) ? n.inputs[0] : kNone;
}

constexpr NoOpRule kRules[] = {{"Identity", first_input},
                               {"Dropout", dropout},
                               {"Transpose", transpose},
                               {"Reshape", reshape},
                               {"Flatten", reshape},
                               {"Squeeze", reshape},
                               {"Unsqueeze", reshape},
                               {"Expand", expand},
                               {"Slice", slice},
                               {"Pad", pad},
                               {"Tile", tile},
                               {"Resize", resize},
                               {"Upsample", upsample},
                               {"Concat", only_input},
                               {"Sum", only_input},
                               {"Mean", only_input},
                               {"Split", only_output},
                               {"Gather", gather},
                               {"GatherElements", gather_elements},
                               {"DepthToSpace", depth_and_space},
                               {"SpaceToDepth", depth_and_space},
                               {"ReduceSum", reduce},
                               {"ReduceMean", reduce},
                               {"ReduceProd", reduce},
                               {"ReduceMax", reduce},
                               {"ReduceMin", reduce},
                               {"MaxPool", pool},
                               {"AveragePool", pool},
                               {"GlobalAveragePool", pool},
                               {"GlobalMaxPool", pool}};

}  // namespace

std::span<const NoOpRule> moving_noops() { return kRules; }

}  // namespace sinter::passes
