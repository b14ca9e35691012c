// SPDX-License-Identifier: Apache-2.0
// Loop: the body runs while the condition holds and at most M times; both may be absent.
//   inputs  M, condition, state..., captures...
//   body    (iteration, condition, state..., captures...) -> (condition, state..., gathered...)
//   outputs state..., gathered... (a new first axis of one entry a run)
#include "graph/ops/detail/body.h"

namespace sinter {

using namespace detail;

void infer_Loop(InferContext&);

namespace {

/// How the inputs and outputs of the node divide.
struct Parts {
  i64 states, captures, gathered;
};

template <class Context>
Parts read_parts(const Context& ctx, std::string_view node, const Attributes& attributes,
                 i64 inputs, i64 outputs) {
  Parts parts;
  parts.captures = capture_count(node, attributes, inputs);
  parts.states = std::max<i64>(inputs - 2 - parts.captures, 0);
  parts.gathered = outputs - parts.states;
  ctx.check((parts.captures == 0 || inputs >= 2 + parts.captures) && parts.gathered >= 0,
            "expected a trip count, a condition, ", parts.states, " states and ", parts.captures,
            " captures, found ", inputs, " inputs and ", outputs, " outputs");
  return parts;
}

/// The iteration number and the condition are scalars, or [1] where the body says so.
Dims scalar_dims(const Graph& body, i64 input) {
  const auto& shape = body.shape(body.inputs()[size_t(input)]);
  return shape && shape->size() == 1 ? Dims{1} : Dims{};
}

template <class Context>
const Graph& loop_body(const Context&, std::string_view node, const Attributes& attributes,
                       const Parts& parts) {
  return read_body(node, attributes, "body", 2 + parts.states + parts.captures,
                   1 + parts.states + parts.gathered);
}

/// True when every run says "go on": the body's condition is constant true, or the one that it was
/// given, which is true at first.
bool never_stops(const InferContext& ctx, const Graph& body) {
  ValueId condition = body.outputs()[0].value;
  for (const Node* n = body.producer(condition); n != nullptr && n->op == Op::Identity;
       n = body.producer(condition))
    condition = n->inputs[0];
  const auto is_true = [](const Tensor* t) {
    return t != nullptr && t->dtype() == DType::boolean && t->size() == 1 && t->data<bool>()[0];
  };
  const bool starts = !ctx.has(1) || is_true(ctx.constant(1));
  return starts && (condition == body.inputs()[1] || is_true(body.constant(condition)));
}

/// The number of runs, when it is known.
Dim trip_count(const InferContext& ctx, const Graph& body) {
  const auto most = ctx.int_values(0);
  if (!most || most->size() != 1 || !never_stops(ctx, body)) return Dim::unknown();
  return maximum(most->at(0), Dim(0));
}

void check_trips(const InferContext& ctx) {
  constexpr DType kTypes[] = {DType::i64, DType::boolean};
  for (i64 i = 0; i < 2; ++i) {
    if (!ctx.has(i)) continue;
    ctx.check(ctx.input(i).dtype == kTypes[i], "input ", i, ": expected element type ",
              name(kTypes[i]), ", found ", name(ctx.input(i).dtype));
    ctx.check(!ctx.shape(i) || may_equal(element_count(*ctx.shape(i)), Dim(1)), "input ", i,
              ": expected one element");
  }
}

}  // namespace

void infer_Loop(InferContext& ctx) {
  check_trips(ctx);
  const Parts parts =
      read_parts(ctx, ctx.node(), ctx.attributes(), ctx.input_count(), ctx.output_count());
  const Graph& body = loop_body(ctx, ctx.node(), ctx.attributes(), parts);
  std::vector<ValueType> inputs = {{DType::i64, to_shape(scalar_dims(body, 0)), std::nullopt},
                                   {DType::boolean, to_shape(scalar_dims(body, 1)), std::nullopt}};
  for (i64 i = 2; i < ctx.input_count(); ++i) {
    ctx.check(ctx.has(i), "input ", i, " is absent");
    inputs.push_back(ctx.input(i));
  }
  const std::vector<ValueType> results =
      carried_types(ctx.node(), body, {2, 1, parts.states}, inputs);
  for (i64 i = 0; i < parts.states; ++i) {
    const ValueType &state = inputs[size_t(2 + i)], &result = results[size_t(1 + i)];
    // An optional at first that is a plain value after every run is one in the end.
    const bool unwraps = state.dtype == DType::optional && result.dtype != DType::optional;
    ctx.output(i) = !unwraps ? state : state.element ? *state.element : result;
  }
  for (i64 i = parts.states; i < ctx.output_count(); ++i) {
    ValueType& type = ctx.output(i) = results[size_t(1 + i)];
    type.dims.reset();
    if (type.shape) type.shape->insert(type.shape->begin(), trip_count(ctx, body));
  }
}

std::vector<Tensor> evaluate_Loop(const EvalContext& ctx) {
  const std::vector<ValueType> types = output_types(ctx, infer_Loop);
  const Parts parts =
      read_parts(ctx, ctx.node, ctx.attributes, std::ssize(ctx.inputs), ctx.outputs);
  const Graph& body = loop_body(ctx, ctx.node, ctx.attributes, parts);
  std::vector<const Tensor*> inputs(2);
  if (ctx.inputs.size() > 2) inputs.insert(inputs.end(), ctx.inputs.begin() + 2, ctx.inputs.end());
  std::vector<Tensor> results;  // of the last run; inputs borrow from it
  std::vector<std::vector<Tensor>> gathered(static_cast<size_t>(parts.gathered));
  bool goes_on = !ctx.has(1) || ctx.in(1).data<bool>()[0];
  for (i64 run = 0; goes_on && (!ctx.has(0) || run < ctx.in(0).as_int(0)); ++run) {
    const Tensor iteration = Tensor::scalar(run).reshaped(scalar_dims(body, 0));
    const Tensor condition = Tensor::scalar(true).reshaped(scalar_dims(body, 1));
    inputs[0] = &iteration;
    inputs[1] = &condition;
    results = evaluate_body(ctx, body, inputs);
    ctx.check(results[0].dtype() == DType::boolean && results[0].size() == 1,
              "expected the body's first result to be one bool, found ", name(results[0].dtype()),
              to_text(results[0].dims()));
    goes_on = results[0].data<bool>()[0];
    for (i64 i = 0; i < parts.states; ++i) inputs[size_t(2 + i)] = &results[size_t(1 + i)];
    for (i64 i = 0; i < parts.gathered; ++i)
      gathered[size_t(i)].push_back(std::move(results[size_t(1 + parts.states + i)]));
  }
  std::vector<Tensor> outputs;
  for (i64 i = 0; i < parts.states; ++i) {
    const Tensor& state = *inputs[size_t(2 + i)];
    const bool unwraps =
        state.dtype() == DType::optional && types[size_t(i)].dtype != DType::optional;
    ctx.check(!unwraps || !state.items().empty(), "state ", i, " is empty after no run");
    outputs.push_back(unwraps ? state.items()[0].clone() : state.clone());
  }
  for (i64 i = 0; i < parts.gathered; ++i) {
    ValueType type = types[size_t(parts.states + i)];
    if (type.shape) type.shape->erase(type.shape->begin());
    outputs.push_back(stacked_runs(ctx, gathered[size_t(i)], 0, type));
  }
  return outputs;
}

}  // namespace sinter
