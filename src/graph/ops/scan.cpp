// SPDX-License-Identifier: Apache-2.0
// Scan (the form of opset 9): the body runs once for each entry of the scanned inputs along their
// axes, forwards or backwards.
//   inputs  state..., scanned..., captures...
//   body    (state..., entry..., captures...) -> (state..., gathered...)
//   outputs state..., gathered... (a new axis of one entry a run, forwards or backwards)
#include "graph/ops/detail/body.h"
#include "graph/ops/detail/mover.h"

namespace sinter {

using namespace detail;

void infer_Scan(InferContext&);

namespace {

struct Parts {
  i64 states, scanned, captures, gathered;
  std::vector<i64> input_axes, output_axes;
  std::vector<i64> input_backwards, output_backwards;
};

/// A list attribute with one entry for each of `count` values; zeros when absent.
std::vector<i64> list_of(std::string_view node, const Attributes& attributes, std::string_view name,
                         i64 count) {
  std::vector<i64> list = attributes.integers(name, std::vector<i64>(size_t(count), 0));
  require(std::ssize(list) == count, ErrorKind::bad_input, node, ": ", name, ": expected ", count,
          " numbers, found ", to_text(list));
  return list;
}

Parts read_parts(std::string_view node, const Attributes& a, i64 inputs, i64 outputs) {
  Parts parts;
  parts.captures = capture_count(node, a, inputs);
  parts.scanned = a.integer("num_scan_inputs", 0);
  require(parts.scanned >= 1 && parts.scanned <= inputs - parts.captures, ErrorKind::bad_input,
          node, ": num_scan_inputs: expected 1 to ", inputs - parts.captures, ", found ",
          parts.scanned);
  parts.states = inputs - parts.captures - parts.scanned;
  parts.gathered = outputs - parts.states;
  require(parts.gathered >= 0, ErrorKind::bad_input, node, ": expected at least ", parts.states,
          " outputs, found ", outputs);
  parts.input_axes = list_of(node, a, "scan_input_axes", parts.scanned);
  parts.input_backwards = list_of(node, a, "scan_input_directions", parts.scanned);
  parts.output_axes = list_of(node, a, "scan_output_axes", parts.gathered);
  parts.output_backwards = list_of(node, a, "scan_output_directions", parts.gathered);
  return parts;
}

const Graph& scan_body(std::string_view node, const Attributes& attributes, const Parts& parts) {
  return read_body(node, attributes, "body", parts.states + parts.scanned + parts.captures,
                   parts.states + parts.gathered);
}

/// Entry `index` of `x` along `axis`.
Tensor entry(const Tensor& x, i64 axis, i64 index) {
  Dims dims = x.dims();
  std::vector<i64> steps = dense_steps(dims);
  const i64 offset = index * steps[size_t(axis)];
  dims.erase(dims.begin() + axis);
  steps.erase(steps.begin() + axis);
  Tensor out(x.dtype(), dims);
  if (out.size() > 0) copy_strided(x, offset, steps, out);
  return out;
}

}  // namespace

void infer_Scan(InferContext& ctx) {
  const Parts parts =
      read_parts(ctx.node(), ctx.attributes(), ctx.input_count(), ctx.output_count());
  const Graph& body = scan_body(ctx.node(), ctx.attributes(), parts);
  std::vector<ValueType> inputs;
  Dim runs;
  for (i64 i = 0; i < ctx.input_count(); ++i) {
    ctx.check(ctx.has(i), "input ", i, " is absent");
    inputs.push_back(ctx.input(i));
    const i64 scanned = i - parts.states;
    if (scanned < 0 || scanned >= parts.scanned) continue;
    ValueType& type = inputs.back();
    type.dims.reset();
    if (!type.shape) continue;
    const i64 axis =
        normalize_axis(ctx, parts.input_axes[size_t(scanned)], std::ssize(*type.shape));
    const Dim size = type.shape->at(size_t(axis));
    ctx.check(may_equal(runs, size), "input ", i, ": expected ", runs.text(),
              " entries along axis ", axis, ", found ", size.text());
    if (!runs.value()) runs = size;
    type.shape->erase(type.shape->begin() + axis);
  }
  const std::vector<ValueType> results =
      carried_types(ctx.node(), body, {0, 0, parts.states}, inputs);
  for (i64 i = 0; i < parts.states; ++i) ctx.output(i) = inputs[size_t(i)];
  for (i64 i = 0; i < parts.gathered; ++i) {
    ValueType& type = ctx.output(parts.states + i) = results[size_t(parts.states + i)];
    type.dims.reset();
    if (!type.shape) continue;
    const i64 rank = std::ssize(*type.shape) + 1;
    type.shape->insert(
        type.shape->begin() + normalize_axis(ctx, parts.output_axes[size_t(i)], rank), runs);
  }
}

std::vector<Tensor> evaluate_Scan(const EvalContext& ctx) {
  const std::vector<ValueType> types = output_types(ctx, infer_Scan);
  const Parts parts = read_parts(ctx.node, ctx.attributes, std::ssize(ctx.inputs), ctx.outputs);
  const Graph& body = scan_body(ctx.node, ctx.attributes, parts);
  std::vector<const Tensor*> inputs(ctx.inputs.begin(), ctx.inputs.end());
  std::vector<i64> axes;
  for (i64 i = 0; i < parts.scanned; ++i)
    axes.push_back(
        normalize_axis(ctx, parts.input_axes[size_t(i)], ctx.in(parts.states + i).rank()));
  const i64 runs = ctx.in(parts.states).dim(axes[0]);
  std::vector<Tensor> results;  // of the last run; inputs borrow from it
  std::vector<std::vector<Tensor>> gathered(static_cast<size_t>(parts.gathered));
  for (i64 run = 0; run < runs; ++run) {
    std::vector<Tensor> entries;
    for (i64 i = 0; i < parts.scanned; ++i) {
      const bool backwards = parts.input_backwards[size_t(i)] != 0;
      entries.push_back(
          entry(ctx.in(parts.states + i), axes[size_t(i)], backwards ? runs - 1 - run : run));
    }
    for (i64 i = 0; i < parts.scanned; ++i) inputs[size_t(parts.states + i)] = &entries[size_t(i)];
    results = evaluate_body(ctx, body, inputs);
    for (i64 i = 0; i < parts.states; ++i) inputs[size_t(i)] = &results[size_t(i)];
    for (i64 i = 0; i < parts.gathered; ++i)
      gathered[size_t(i)].push_back(std::move(results[size_t(parts.states + i)]));
  }
  std::vector<Tensor> outputs;
  for (i64 i = 0; i < parts.states; ++i) outputs.push_back(inputs[size_t(i)]->clone());
  for (i64 i = 0; i < parts.gathered; ++i) {
    std::vector<Tensor>& all = gathered[size_t(i)];
    if (parts.output_backwards[size_t(i)] != 0) std::reverse(all.begin(), all.end());
    ValueType type = types[size_t(parts.states + i)];
    const i64 axis = parts.output_axes[size_t(i)];
    if (type.shape)
      type.shape->erase(type.shape->begin() + normalize_axis(ctx, axis, std::ssize(*type.shape)));
    outputs.push_back(stacked_runs(ctx, all, axis, type));
  }
  return outputs;
}

}  // namespace sinter
