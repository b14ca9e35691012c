// SPDX-License-Identifier: Apache-2.0
// Copies elements of any type, strings included, by position.
#pragma once
#include <cstring>
#include <utility>

#include "graph/ops/detail/broadcast.h"

namespace sinter::detail {

/// Copies from one tensor into another of the same element type. Both outlive it.
class Mover {
 public:
  Mover(const Tensor& from, Tensor& to) : from_(from), to_(to) {
    SINTER_ASSERT(from.dtype() == to.dtype());
  }

  /// to[at + i] = from[first + i * step] for i in [0, count).
  void row(i64 at, i64 first, i64 step, i64 count) const {
    switch (element_size(from_.dtype())) {
      case 0:
        for (i64 i = 0; i < count; ++i)
          to_.mutable_strings()[size_t(at + i)] = from_.strings()[size_t(first + i * step)];
        return;
      case 1:
        return row_of<1>(at, first, step, count);
      case 2:
        return row_of<2>(at, first, step, count);
      case 4:
        return row_of<4>(at, first, step, count);
      default:
        return row_of<8>(at, first, step, count);
    }
  }

 private:
  template <size_t Width>
  void row_of(i64 at, i64 first, i64 step, i64 count) const {
    if (count == 0) return;
    const std::byte* from = from_.raw().data() + first * i64(Width);
    std::byte* to = to_.mutable_raw().data() + at * i64(Width);
    if (step == 1) {
      std::memcpy(to, from, size_t(count) * Width);
      return;
    }
    for (i64 i = 0; i < count; ++i, to += Width)
      std::memcpy(to, from + i * step * i64(Width), Width);
  }

  const Tensor& from_;
  Tensor& to_;
};

/// out[i0,i1,...] = in[offset + i0*steps[0] + i1*steps[1] + ...].
inline void copy_strided(const Tensor& in, i64 offset, const std::vector<i64>& steps, Tensor& out) {
  std::vector<LoopAxis<1>> axes(steps.size());
  for (size_t a = 0; a < steps.size(); ++a) axes[a] = {out.dims()[a], {steps[a]}};
  const Mover mover(in, out);
  walk_rows<1>(axes, {offset}, [&](i64 at, i64 count, const auto& first, const auto& step) {
    mover.row(at, first[0], step[0], count);
  });
}

/// Elements between neighbours along each axis of a dense tensor.
inline std::vector<i64> dense_steps(const Dims& dims) {
  std::vector<i64> steps(dims.size());
  i64 step = 1;
  for (i64 a = std::ssize(dims) - 1; a >= 0; --a) {
    steps[size_t(a)] = step;
    step *= dims[size_t(a)];
  }
  return steps;
}

/// Calls body(i, index) for every index of `dims`, i being its place in memory.
template <class Body>
void for_each_position(const Dims& dims, const Body& body) {
  Dims at(dims.size(), 0);
  const i64 count = element_count(dims);
  for (i64 i = 0; i < count; ++i) {
    body(i, std::as_const(at));
    for (i64 a = std::ssize(dims) - 1; a >= 0 && ++at[size_t(a)] == dims[size_t(a)]; --a)
      at[size_t(a)] = 0;
  }
}

/// Product of the sizes before and after an axis.
inline i64 outer_size(const Dims& dims, i64 axis) {
  return element_count(std::span(dims).first(size_t(axis)));
}
inline i64 inner_size(const Dims& dims, i64 axis) {
  return element_count(std::span(dims).subspan(size_t(axis) + 1));
}

/// An index in [-size, size) as a number in [0, size).
template <class Context>
i64 normalize_index(const Context& ctx, i64 index, i64 size) {
  ctx.check(index >= -size && index < size, "expected indices from ", -size, " to ", size - 1,
            ", found ", index);
  return index < 0 ? index + size : index;
}

/// The tensors one after the other along an axis, or side by side along a new axis.
/// throws  Error(bad_input) when types or dims do not fit
Tensor joined(const EvalContext& ctx, std::span<const Tensor> parts, i64 axis);
Tensor stacked(const EvalContext& ctx, std::span<const Tensor> parts, i64 axis);

/// The work of an operator that only moves elements: output 0, of known dims. It does not infer.
using Move = Tensor (*)(const EvalContext& ctx, const Dims& out);

/// evaluate by `move`, after `infer` has checked the inputs and told the output's dims.
std::vector<Tensor> moved(const EvalContext& ctx, Infer infer, Move move);

/// Sets output 0 to the type of input 0 and `shape`. Its content follows when it is small: `move`
/// runs on numbers that stand for the expressions in `data_inputs` (whose element type is the
/// output's); all other inputs must be known numbers.
void set_moved(InferContext& ctx, std::initializer_list<i64> data_inputs, Move move,
               std::optional<Shape> shape);

}  // namespace sinter::detail
