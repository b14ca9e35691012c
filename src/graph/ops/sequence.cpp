// SPDX-License-Identifier: Apache-2.0
// Operators on sequences: build, look up, insert, erase, count, and cut a tensor into a sequence or
// join one. A position counts from the end when negative.
#include "graph/ops/detail/mover.h"
#include "graph/ops/detail/types.h"

namespace sinter {

using namespace detail;

void infer_SequenceConstruct(InferContext&);
void infer_SequenceEmpty(InferContext&);
void infer_SequenceAt(InferContext&);
void infer_SequenceInsert(InferContext&);
void infer_SequenceErase(InferContext&);
void infer_SequenceLength(InferContext&);
void infer_SplitToSequence(InferContext&);
void infer_ConcatFromSequence(InferContext&);

namespace {

void expect_position(const InferContext& ctx, i64 i) {
  if (!ctx.has(i)) return;
  expect_index(ctx, i);
  const Shape* s = ctx.shape(i);
  ctx.check(!s || may_equal(element_count(*s), Dim(1)), "input ", i,
            ": expected one position, found ", s ? to_text(*s) : "");
}

/// Position `input` as a number in [0, size), `absent` when it is not given.
i64 read_position(const EvalContext& ctx, i64 input, i64 size, i64 absent) {
  return ctx.has(input) ? normalize_index(ctx, ctx.in(input).as_int(0), size) : absent;
}

ValueType i64_scalar() { return {DType::i64, Shape(), std::nullopt}; }

/// The axis that the node cuts or joins along, for tensors of this rank.
template <class Context>
size_t read_axis(const Context& ctx, const Attributes& attributes, i64 rank) {
  return size_t(normalize_axis(ctx, attributes.integer("axis", 0), rank));
}

constexpr i64 kMaxParts = i64(1) << 20;

/// Sizes of the parts that SplitToSequence makes of an axis of `size`.
std::vector<i64> part_sizes(const EvalContext& ctx, i64 size) {
  ctx.check(size <= kMaxParts, "expected an axis of at most 2^20 to cut, found ", size);
  if (!ctx.has(1)) return std::vector<i64>(size_t(size), 1);
  std::vector<i64> given = ctx.in(1).as_ints();
  if (ctx.in(1).rank() == 0) {
    const i64 step = given[0];
    ctx.check(step > 0, "input 1: expected a size of at least 1, found ", step);
    given.assign(size_t((size + step - 1) / step), step);
    if (size % step != 0) given.back() = size % step;
  }
  i64 left = size;
  for (i64 part : given) {
    ctx.check(part >= 0 && part <= left, "input 1: sizes ", to_text(given), " do not add up to ",
              size);
    left -= part;
  }
  ctx.check(left == 0, "input 1: sizes ", to_text(given), " do not add up to ", size);
  return given;
}

}  // namespace

void infer_SequenceConstruct(InferContext& ctx) {
  std::optional<ValueType> element;
  for (i64 i = 0; i < ctx.input_count(); ++i) {
    ctx.check(ctx.has(i), "input ", i, " is absent");
    ValueType type = ctx.input(i);
    type.dims.reset();
    element = i == 0 ? type : covering(*element, type);
    ctx.check(element && element->dtype == type.dtype, "expected tensors of one element type");
  }
  ctx.output(0) = sequence_of(*element);
}

void infer_SequenceEmpty(InferContext& ctx) {
  const DType type = type_attribute(ctx, "dtype", DType::f32);
  ctx.output(0) = sequence_of({type, std::nullopt, std::nullopt});
}

void infer_SequenceAt(InferContext& ctx) {
  expect_container(ctx, 0, DType::sequence);
  expect_position(ctx, 1);
  ctx.output(0) = element_of(ctx, 0);
}

void infer_SequenceInsert(InferContext& ctx) {
  expect_container(ctx, 0, DType::sequence);
  expect_position(ctx, 2);
  ValueType item = ctx.input(1);
  item.dims.reset();
  if (!ctx.input(0).element) {
    ctx.output(0) = sequence_of({item.dtype, std::nullopt, std::nullopt});
    return;
  }
  const auto element = covering(*ctx.input(0).element, item);
  ctx.check(element.has_value(), "input 1: expected element type ",
            name(ctx.input(0).element->dtype), " of the sequence, found ", name(item.dtype));
  ctx.output(0) = sequence_of(*element);
}

void infer_SequenceErase(InferContext& ctx) {
  expect_container(ctx, 0, DType::sequence);
  expect_position(ctx, 1);
  ctx.output(0) = ctx.input(0);
}

void infer_SequenceLength(InferContext& ctx) {
  expect_container(ctx, 0, DType::sequence);
  ctx.output(0) = i64_scalar();
}

void infer_SplitToSequence(InferContext& ctx) {
  ValueType element = ctx.input(0);
  element.dims.reset();
  if (ctx.has(1)) {
    expect_index(ctx, 1);
    ctx.check(!ctx.shape(1) || ctx.shape(1)->size() <= 1, "input 1: expected rank 0 or 1");
  }
  if (element.shape) {
    const size_t axis = read_axis(ctx, ctx.attributes(), std::ssize(*element.shape));
    element.shape->at(axis) = ctx.has(1) ? Dim::unknown() : Dim(1);
    if (!ctx.has(1) && ctx.attributes().integer("keepdims", 1) == 0)
      element.shape->erase(element.shape->begin() + i64(axis));
  }
  ctx.output(0) = sequence_of(std::move(element));
}

void infer_ConcatFromSequence(InferContext& ctx) {
  expect_container(ctx, 0, DType::sequence);
  ctx.check(ctx.attributes().has("axis"), "axis is required");
  ValueType type = element_of(ctx, 0);
  type.dims.reset();
  if (type.shape) {
    if (ctx.attributes().integer("new_axis", 0) != 0) type.shape->emplace_back();
    const size_t axis = read_axis(ctx, ctx.attributes(), std::ssize(*type.shape));
    if (ctx.attributes().integer("new_axis", 0) != 0)
      std::rotate(type.shape->begin() + i64(axis), type.shape->end() - 1, type.shape->end());
    type.shape->at(axis) = Dim::unknown();
  }
  ctx.output(0) = std::move(type);
}

std::vector<Tensor> evaluate_SequenceConstruct(const EvalContext& ctx) {
  output_types(ctx, infer_SequenceConstruct);
  std::vector<Tensor> items;
  for (const Tensor* t : ctx.inputs) items.push_back(t->clone());
  return one(Tensor::sequence(std::move(items)));
}

std::vector<Tensor> evaluate_SequenceEmpty(const EvalContext&) { return one(Tensor::sequence({})); }

std::vector<Tensor> evaluate_SequenceAt(const EvalContext& ctx) {
  output_types(ctx, infer_SequenceAt);
  const std::vector<Tensor>& items = ctx.in(0).items();
  return one(items[size_t(read_position(ctx, 1, std::ssize(items), 0))].clone());
}

std::vector<Tensor> evaluate_SequenceInsert(const EvalContext& ctx) {
  output_types(ctx, infer_SequenceInsert);
  Tensor out = ctx.in(0).clone();
  std::vector<Tensor> items = std::move(out.mutable_items());
  const i64 size = std::ssize(items);
  // The end is a place too, so there is one more than there are items.
  const i64 given = ctx.has(2) ? ctx.in(2).as_int(0) : size;
  ctx.check(given >= -size && given <= size, "expected a position from ", -size, " to ", size,
            ", found ", given);
  items.insert(items.begin() + (given < 0 ? given + size : given), ctx.in(1).clone());
  return one(Tensor::sequence(std::move(items)));
}

std::vector<Tensor> evaluate_SequenceErase(const EvalContext& ctx) {
  output_types(ctx, infer_SequenceErase);
  Tensor out = ctx.in(0).clone();
  std::vector<Tensor> items = std::move(out.mutable_items());
  ctx.check(!items.empty(), "expected a sequence that is not empty");
  const i64 size = std::ssize(items);
  items.erase(items.begin() + read_position(ctx, 1, size, size - 1));
  return one(Tensor::sequence(std::move(items)));
}

std::vector<Tensor> evaluate_SequenceLength(const EvalContext& ctx) {
  output_types(ctx, infer_SequenceLength);
  return one(Tensor::scalar(i64(std::ssize(ctx.in(0).items()))));
}

std::vector<Tensor> evaluate_SplitToSequence(const EvalContext& ctx) {
  output_types(ctx, infer_SplitToSequence);
  const Tensor& x = ctx.in(0);
  const size_t axis = read_axis(ctx, ctx.attributes, x.rank());
  const bool drop = !ctx.has(1) && ctx.attributes.integer("keepdims", 1) == 0;
  const std::vector<i64> steps = dense_steps(x.dims());
  std::vector<Tensor> items;
  i64 first = 0;
  for (i64 size : part_sizes(ctx, x.dims()[axis])) {
    Dims dims = x.dims();
    dims[axis] = size;
    Tensor part(x.dtype(), dims);
    if (part.size() > 0) copy_strided(x, first * steps[axis], steps, part);
    first += size;
    if (drop) dims.erase(dims.begin() + i64(axis));
    items.push_back(std::move(part).reshaped(dims));
  }
  return one(Tensor::sequence(std::move(items)));
}

std::vector<Tensor> evaluate_ConcatFromSequence(const EvalContext& ctx) {
  output_types(ctx, infer_ConcatFromSequence);
  const std::vector<Tensor>& items = ctx.in(0).items();
  ctx.check(!items.empty(), "expected a sequence that is not empty");
  if (ctx.attributes.integer("new_axis", 0) == 0)
    return one(joined(ctx, items, ctx.attributes.integer("axis", 0)));
  const i64 axis = normalize_axis(ctx, ctx.attributes.integer("axis", 0), items[0].rank() + 1);
  return one(stacked(ctx, items, axis));
}

}  // namespace sinter
