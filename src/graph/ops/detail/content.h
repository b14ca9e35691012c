// SPDX-License-Identifier: Apache-2.0
// Symbolic contents of small integer tensors: element-wise arithmetic over ValueType::dims and the
// questions that they can decide. Bools count as 0 and 1.
#pragma once
#include "graph/ops/detail/common.h"

namespace sinter::detail {

using Content = std::optional<std::vector<Dim>>;

/// int_values, and constants of bool as 0 and 1.
Content content_of(const InferContext& ctx, i64 i);

/// Element i of contents that broadcast.
inline const Dim& pick(const std::vector<Dim>& values, size_t i) {
  return values.size() == 1 ? values[0] : values[i];
}

/// Element-wise over contents of equal length or length 1.
template <class Combine>
Content combine(const std::vector<Content>& in, const Combine& element) {
  size_t count = 1;
  for (const Content& c : in) {
    if (!c) return std::nullopt;
    if (c->size() != 1) count = c->size();
  }
  for (const Content& c : in)
    if (c->size() != 1 && c->size() != count) return std::nullopt;
  std::vector<Dim> out;
  for (size_t i = 0; i < count; ++i) out.push_back(element(i));
  return out;
}

// Element-wise meaning of operators; what cannot be decided is unknown.
Dim truncated_quotient(const Dim& a, const Dim& b);
inline Dim sum(const Dim& a, const Dim& b) { return a + b; }
inline Dim difference(const Dim& a, const Dim& b) { return a - b; }
inline Dim product(const Dim& a, const Dim& b) { return a * b; }
/// An answer as 0 or 1.
inline Dim truth(std::optional<bool> answer) { return answer ? Dim(i64(*answer)) : Dim::unknown(); }
/// 1 for 0 and 0 for another number.
inline Dim negation(const Dim& d) { return d.value() ? Dim(i64(d.is(0))) : Dim::unknown(); }

/// Infers `shape` and, for small integer or bool operands `first`..`last`, element(...) of their
/// contents, folded from the left.
void set_combined(InferContext& ctx, DType dtype, i64 first, i64 last,
                  Dim (*element)(const Dim&, const Dim&));

}  // namespace sinter::detail
