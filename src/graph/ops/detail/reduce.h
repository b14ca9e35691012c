// SPDX-License-Identifier: Apache-2.0
// What the operators that reduce axes share: which axes, the dims that are left, and the loop that
// folds every element into its place.
#pragma once
#include "graph/ops/detail/broadcast.h"
#include "graph/ops/detail/content.h"

namespace sinter::detail {

/// Shape and content of a Reduce operator (data, axes; keepdims, noop_with_empty_axes). `combine`
/// folds the content of a small integer tensor; nullptr when it has no meaning for it.
void set_reduced(InferContext& ctx, Dim (*combine)(const Dim&, const Dim&));

/// The axes to reduce, sorted, in [0, rank): input 1; all when it is absent or empty, unless
/// noop_with_empty_axes says none.
std::vector<i64> reduced_axes(const EvalContext& ctx);

/// True when noop_with_empty_axes makes the result x itself.
bool reduces_nothing(const EvalContext& ctx);

/// `dims` with 1 for every axis of `axes`.
inline Dims with_ones(Dims dims, const std::vector<i64>& axes) {
  for (i64 a : axes) dims[size_t(a)] = 1;
  return dims;
}

/// step(into[j], x[i]) for every element of x in memory order, j being its place in `kept`.
template <class T, class Step>
void fold_into(const T* x, const Dims& dims, T* into, const Dims& kept, const Step& step) {
  for_each_row<1>(dims, {&kept}, [&](i64 at, i64 count, const auto& offsets, const auto& steps) {
    T* to = into + offsets[0];
    for (i64 i = 0; i < count; ++i, to += steps[0]) step(*to, x[at + i]);
  });
}

}  // namespace sinter::detail
