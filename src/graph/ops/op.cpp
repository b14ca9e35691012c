// SPDX-License-Identifier: Apache-2.0
#include "graph/ops/op.h"

namespace sinter {

#define SINTER_OP(op, ...)        \
  void infer_##op(InferContext&); \
  std::vector<Tensor> evaluate_##op(const EvalContext&);
#include "graph/ops/table.inc"
#undef SINTER_OP

namespace {

constexpr OpInfo kOps[] = {
#define SINTER_OP(op, code, min_in, max_in, min_out, max_out, opset, attributes) \
  {Op::op, #op, min_in, max_in, min_out, max_out, opset, attributes, infer_##op, evaluate_##op},
#include "graph/ops/table.inc"
#undef SINTER_OP
};

}  // namespace

std::span<const OpInfo> all_ops() { return kOps; }

const OpInfo& info(Op op) {
  // Codes below 1000 are rows in order; the sinter domain follows. The search covers both.
  const size_t guess = size_t(op) - 1;
  if (guess < std::size(kOps) && kOps[guess].op == op) return kOps[guess];
  for (const OpInfo& row : kOps)
    if (row.op == op) return row;
  fail(ErrorKind::internal, "operator code ", int(op), " is not in the table");
}

std::optional<Op> find_op(std::string_view name) {
  for (const OpInfo& row : kOps)
    if (row.name == name) return row.op;
  return std::nullopt;
}

std::optional<Op> find_op(int code) {
  for (const OpInfo& row : kOps)
    if (int(row.op) == code) return row.op;
  return std::nullopt;
}

char attribute_kind(const OpInfo& op, std::string_view attribute) {
  std::string_view rest = op.attributes;
  while (!rest.empty()) {
    const size_t blank = std::min(rest.find(' '), rest.size());
    const std::string_view entry = rest.substr(0, blank);
    if (entry.substr(0, entry.size() - 2) == attribute) return entry.back();
    rest.remove_prefix(std::min(blank + 1, rest.size()));
  }
  return 0;
}

std::optional<std::vector<Dim>> InferContext::int_values(i64 i) const {
  if (const Tensor* t = constant(i)) {
    if (!is_integer(t->dtype()) || t->rank() > 1 || t->size() > 64) return std::nullopt;
    std::vector<Dim> values;
    for (i64 v : t->as_ints()) values.emplace_back(v);
    return values;
  }
  return has(i) ? input(i).dims : std::nullopt;
}

}  // namespace sinter
