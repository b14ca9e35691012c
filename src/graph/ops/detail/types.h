// SPDX-License-Identifier: Apache-2.0
// Types of containers and of values that come from more than one place.
#pragma once
#include "graph/ops/detail/common.h"

namespace sinter::detail {

/// What is known of a tensor: type and dims; of a container also what its items have in common.
ValueType type_of(const Tensor& t);

ValueType sequence_of(ValueType element);
ValueType optional_of(ValueType element);

/// What holds for a value that is of type a or of type b; nullopt when no type covers both. An
/// optional covers what it may hold.
std::optional<ValueType> covering(const ValueType& a, const ValueType& b);

/// Checks that input i is a container of that kind.
void expect_container(const InferContext& ctx, i64 i, DType kind);
/// The element type of container i, unknown when nothing is known of it.
ValueType element_of(const InferContext& ctx, i64 i);

}  // namespace sinter::detail
