// SPDX-License-Identifier: Apache-2.0
#include "graph/ops/op.h"

#include <algorithm>
#include <array>

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

constexpr int kCodes = 1100;  // codes are below

/// Row by code; -1 where a code stands for nothing.
constexpr auto kRows = [] {
  std::array<short, kCodes> rows{};
  for (short& row : rows) row = -1;
  for (size_t i = 0; i < std::size(kOps); ++i) rows[size_t(kOps[i].op)] = short(i);
  return rows;
}();

}  // namespace

std::span<const OpInfo> all_ops() { return kOps; }

const OpInfo& info(Op op) {
  const int code = int(op);
  if (code >= 0 && code < kCodes && kRows[size_t(code)] >= 0)
    return kOps[size_t(kRows[size_t(code)])];
  fail(ErrorKind::internal, "operator code ", int(op), " is not in the table");
}

std::string_view domain_of(Op op) {
  if (int(op) >= 1000) return "sinter";
  return int(op) >= 900 ? "ai.onnx.preview.training" : "";
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

namespace {

template <class T, class Same>
bool both(const T& a, const T& b, const Same& same_content) {
  return bool(a) == bool(b) && (!a || same_content(*a, *b));
}
bool same_dims(const std::vector<Dim>& a, const std::vector<Dim>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Dim& x, const Dim& y) {
    return same(x, y) || (!x.is_known() && !y.is_known());
  });
}

}  // namespace

bool same_type(const ValueType& a, const ValueType& b) {
  return a.dtype == b.dtype && both(a.shape, b.shape, same_dims) &&
         both(a.dims, b.dims, same_dims) && both(a.element, b.element, same_type);
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
