// SPDX-License-Identifier: Apache-2.0
// If: one of two bodies, both of which take the captures. The result's type is what both have in
// common. A body that contradicts the types at hand cannot be the one that is taken: exporters
// guard a Squeeze by an If that asks for the size.
#include "graph/ops/detail/body.h"

namespace sinter {

using namespace detail;

namespace {

/// Types of the results of one branch, or why it cannot run.
struct Branch {
  std::vector<ValueType> types;
  std::optional<Error> error;
};

Branch infer_branch(const InferContext& ctx, std::string_view name) {
  Branch branch;
  std::vector<ValueType> captures;
  for (i64 i = 1; i < ctx.input_count(); ++i) captures.push_back(ctx.input(i));
  const Graph& body =
      read_body(ctx.node(), ctx.attributes(), name, std::ssize(captures), ctx.output_count());
  try {
    branch.types = body_types(ctx.node(), body, captures);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::bad_input) throw;
    branch.error = error;
  }
  return branch;
}

}  // namespace

void infer_If(InferContext& ctx) {
  ctx.check(ctx.input(0).dtype == DType::boolean, "input 0: expected element type bool, found ",
            name(ctx.input(0).dtype));
  const i64 captures = capture_count(ctx.node(), ctx.attributes(), ctx.input_count());
  ctx.check(captures == ctx.input_count() - 1, "expected a condition and captures, found ",
            ctx.input_count(), " inputs");
  Branch yes = infer_branch(ctx, "then_branch"), no = infer_branch(ctx, "else_branch");
  const Tensor* condition = ctx.constant(0);
  const bool decided = condition != nullptr && condition->size() == 1;
  if (decided || yes.error || no.error) {
    const bool takes_yes = decided ? condition->data<bool>()[0] : !yes.error;
    const Branch& taken = takes_yes ? yes : no;
    if (taken.error) throw *taken.error;
    for (i64 i = 0; i < ctx.output_count(); ++i) ctx.output(i) = taken.types[size_t(i)];
    return;
  }
  for (i64 i = 0; i < ctx.output_count(); ++i) {
    const auto type = covering(yes.types[size_t(i)], no.types[size_t(i)]);
    ctx.check(type.has_value(), "output ", i, " is ", name(yes.types[size_t(i)].dtype),
              " in one branch and ", name(no.types[size_t(i)].dtype), " in the other");
    ctx.output(i) = *type;
  }
}

std::vector<Tensor> evaluate_If(const EvalContext& ctx) {
  const Tensor& condition = ctx.in(0);
  ctx.check(condition.dtype() == DType::boolean && condition.size() == 1,
            "input 0: expected one bool, found ", name(condition.dtype()),
            to_text(condition.dims()));
  const std::string_view branch = condition.data<bool>()[0] ? "then_branch" : "else_branch";
  const auto captures = ctx.inputs.subspan(1);
  return evaluate_body(
      ctx, read_body(ctx.node, ctx.attributes, branch, std::ssize(captures), ctx.outputs),
      captures);
}

}  // namespace sinter
