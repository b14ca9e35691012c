// SPDX-License-Identifier: Apache-2.0
#include "graph/ops/detail/body.h"

#include "graph/ops/detail/mover.h"

namespace sinter::detail {

const Graph& read_body(std::string_view node, const Attributes& attributes, std::string_view name,
                       i64 inputs, i64 outputs) {
  const GraphPtr body = attributes.graph(name);
  require(body != nullptr, ErrorKind::bad_input, node, ": ", name, " is required");
  require(std::ssize(body->inputs()) == inputs, ErrorKind::bad_input, node, ": ", name,
          ": expected ", inputs, " inputs, found ", body->inputs().size());
  require(outputs < 0 || std::ssize(body->outputs()) == outputs, ErrorKind::bad_input, node, ": ",
          name, ": expected ", outputs, " outputs, found ", body->outputs().size());
  return *body;
}

i64 capture_count(std::string_view node, const Attributes& attributes, i64 inputs) {
  const i64 count = attributes.integer("captures", 0);
  require(count >= 0 && count <= inputs, ErrorKind::bad_input, node, ": captures: expected 0 to ",
          inputs, ", found ", count);
  return count;
}

ValueType fitted(const Graph& body, i64 i, ValueType given) {
  const DType wanted = body.dtype(body.inputs()[size_t(i)]);
  if (wanted == DType::optional && given.dtype != DType::optional)
    return optional_of(std::move(given));
  if (wanted == DType::f32 && given.dtype == DType::f64) given.dtype = DType::f32;
  return given;
}

std::vector<ValueType> body_types(std::string_view node, const Graph& body,
                                  const std::vector<ValueType>& inputs) {
  Graph copy = body.clone();
  bool is_widened = false;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ValueId value = copy.inputs()[i];
    ValueType type = fitted(body, i64(i), inputs[i]);
    const DType wanted = copy.dtype(value), found = type.dtype;
    require(wanted == found || wanted == DType::unknown || found == DType::unknown,
            ErrorKind::bad_input, node, ": body input \"", copy.value(value).name,
            "\": expected element type ", name(wanted), ", found ", name(found));
    copy.set_input_type(value, std::move(type));
  }
  copy.infer_all();
  std::vector<ValueType> types;
  for (const GraphOutput& output : copy.outputs()) {
    types.push_back(copy.value(output.value).type);
    if (is_widened && types.back().dtype == DType::f32) types.back().dtype = DType::f64;
    const Tensor* constant = copy.constant(output.value);
    if (constant && is_integer(constant->dtype()) && constant->rank() <= 1 &&
        constant->size() <= kMaxContent)
      types.back().dims = to_shape(constant->as_ints());
  }
  return types;
}

namespace {

/// What a value may be that is `now` at first and `next` after a run.
ValueType widened(std::string_view node, const ValueType& now, const ValueType& next) {
  const auto type = covering(now, next);
  require(type.has_value(), ErrorKind::bad_input, node, ": a value is ", name(now.dtype),
          " before a run of the body and ", name(next.dtype), " after it");
  return *type;
}

}  // namespace

std::vector<ValueType> carried_types(std::string_view node, const Graph& body, Carried carried,
                                     std::vector<ValueType>& inputs) {
  for (i64 i = 0; i < std::ssize(inputs); ++i)
    inputs[size_t(i)] = fitted(body, i, std::move(inputs[size_t(i)]));
  constexpr int kRounds = 4;  // sizes that still change then are given up
  for (int round = 0;; ++round) {
    const std::vector<ValueType> results = body_types(node, body, inputs);
    bool is_stable = true;
    for (i64 i = 0; i < carried.count; ++i) {
      ValueType& now = inputs[size_t(carried.first_input + i)];
      ValueType next = widened(node, now, results[size_t(carried.first_result + i)]);
      if (same_type(now, next)) continue;
      is_stable = false;
      if (round >= kRounds) next = {next.dtype, std::nullopt, std::nullopt};
      now = std::move(next);
    }
    if (is_stable) return results;
  }
}

Tensor stacked_runs(const EvalContext& ctx, const std::vector<Tensor>& runs, i64 axis,
                    const ValueType& type) {
  if (!runs.empty()) return stacked(ctx, runs, normalize_axis(ctx, axis, runs[0].rank() + 1));
  Dims dims;
  for (const Dim& d : type.shape.value_or(Shape())) dims.push_back(d.value().value_or(0));
  dims.insert(dims.begin() + normalize_axis(ctx, axis, std::ssize(dims) + 1), 0);
  ctx.check(type.dtype != DType::unknown && !is_container(type.dtype),
            "a result that is gathered must be a tensor of known type");
  return Tensor(type.dtype, std::move(dims));
}

}  // namespace sinter::detail
