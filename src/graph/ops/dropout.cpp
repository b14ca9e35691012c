// SPDX-License-Identifier: Apache-2.0
// Dropout. In inference the input passes and the mask is true everywhere. In training (input 2) an
// element is kept with probability 1 - ratio (input 1, default 0.5) and divided by that:
//   y = mask ? x / (1 - ratio) : 0
// The mask comes from the attribute `seed` (0 without one): u >= ratio for u of 53 bits of the
// Mersenne Twister, the numbers that ONNX's own tests are made with.
#include <random>

#include "graph/ops/detail/common.h"

namespace sinter {

using namespace detail;

void infer_Dropout(InferContext&);

namespace {

std::vector<Tensor> drop(const EvalContext& ctx, const Tensor& x, double ratio) {
  std::vector<Tensor> all = one(Tensor(x.dtype(), x.dims()));
  Tensor mask(DType::boolean, x.dims());
  std::mt19937 rng{u32(ctx.attributes.integer("seed", 0))};
  const auto kept = mask.mutable_data<bool>();
  for (bool& keep : kept) {
    const u64 high = rng() >> 5, low = rng() >> 6;
    keep = double((high << 26) + low) * 0x1p-53 >= ratio;
  }
  for_float(x.dtype(), "Dropout", [&](auto t) {
    using T = decltype(t);
    const auto from = x.data<T>();
    const auto to = all[0].mutable_data<T>();
    for (size_t i = 0; i < from.size(); ++i) to[i] = kept[i] ? T(from[i] / (1 - ratio)) : T(0);
  });
  all.push_back(std::move(mask));
  return all;
}

std::vector<Tensor> dropout(const EvalContext& ctx) {
  output_dims(ctx, infer_Dropout);
  const Tensor& x = ctx.in(0);
  const double ratio = ctx.has(1) ? ctx.in(1).as_double(0) : 0.5;
  const bool training = ctx.has(2) && ctx.in(2).as_int(0) != 0;
  ctx.check(!training || (ratio >= 0 && ratio < 1), "expected a ratio in [0, 1), found ", ratio);
  std::vector<Tensor> all;
  if (training && ratio > 0) {
    all = drop(ctx, x, ratio);
  } else {
    Tensor mask(DType::boolean, x.dims());
    for (bool& kept : mask.mutable_data<bool>()) kept = true;
    all = one(x.clone());
    all.push_back(std::move(mask));
  }
  all.resize(size_t(ctx.outputs));
  return all;
}

}  // namespace

void infer_Dropout(InferContext& ctx) {
  expect_float(ctx, 0);
  ctx.check(!ctx.has(1) || is_float(ctx.input(1).dtype),
            "input 1: expected a float ratio, found element type ",
            name(ctx.has(1) ? ctx.input(1).dtype : DType::none));
  ctx.check(!ctx.has(2) || ctx.input(2).dtype == DType::boolean,
            "input 2: expected training_mode of element type bool");
  expect_single(ctx, 1);
  expect_single(ctx, 2);
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape);
  if (ctx.output_count() > 1) set_output(ctx, 1, DType::boolean, ctx.input(0).shape);
}

std::vector<Tensor> evaluate_Dropout(const EvalContext& ctx) { return through_float(ctx, dropout); }

}  // namespace sinter
