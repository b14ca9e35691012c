// SPDX-License-Identifier: Apache-2.0
// SequenceMap: the body runs once for each item of the first input; other sequences give their item
// at the same position, tensors are given whole.
#include "graph/ops/detail/body.h"

namespace sinter {

using namespace detail;

void infer_SequenceMap(InferContext&);

void infer_SequenceMap(InferContext& ctx) {
  expect_container(ctx, 0, DType::sequence);
  const i64 captures = capture_count(ctx.node(), ctx.attributes(), ctx.input_count());
  const Graph& body =
      read_body(ctx.node(), ctx.attributes(), "body", ctx.input_count(), ctx.output_count());
  std::vector<ValueType> inputs;
  for (i64 i = 0; i < ctx.input_count(); ++i) {
    ctx.check(ctx.has(i), "input ", i, " is absent");
    const bool is_mapped =
        i < ctx.input_count() - captures && ctx.input(i).dtype == DType::sequence;
    inputs.push_back(is_mapped ? element_of(ctx, i) : ctx.input(i));
  }
  const std::vector<ValueType> results = body_types(ctx.node(), body, inputs);
  for (i64 i = 0; i < ctx.output_count(); ++i) {
    ValueType element = results[size_t(i)];
    element.dims.reset();
    ctx.output(i) = sequence_of(std::move(element));
  }
}

std::vector<Tensor> evaluate_SequenceMap(const EvalContext& ctx) {
  output_types(ctx, infer_SequenceMap);
  const i64 count = std::ssize(ctx.inputs);
  const i64 mapped = count - capture_count(ctx.node, ctx.attributes, count);
  const Graph& body = read_body(ctx.node, ctx.attributes, "body", count, ctx.outputs);
  const size_t runs = ctx.in(0).items().size();
  std::vector<std::vector<Tensor>> outputs(static_cast<size_t>(ctx.outputs));
  std::vector<const Tensor*> inputs(ctx.inputs.begin(), ctx.inputs.end());
  for (size_t run = 0; run < runs; ++run) {
    for (i64 i = 0; i < mapped; ++i) {
      if (ctx.in(i).dtype() != DType::sequence) continue;
      const std::vector<Tensor>& items = ctx.in(i).items();
      ctx.check(items.size() == runs, "input ", i, ": expected ", runs, " items, found ",
                items.size());
      inputs[size_t(i)] = &items[run];
    }
    std::vector<Tensor> results = evaluate_body(ctx, body, inputs);
    for (size_t i = 0; i < outputs.size(); ++i) outputs[i].push_back(std::move(results[i]));
  }
  std::vector<Tensor> sequences;
  for (std::vector<Tensor>& items : outputs)
    sequences.push_back(Tensor::sequence(std::move(items)));
  return sequences;
}

}  // namespace sinter
