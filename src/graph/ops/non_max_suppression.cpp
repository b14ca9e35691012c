// SPDX-License-Identifier: Apache-2.0
// NonMaxSuppression: of every batch entry and class, boxes are taken from the highest score down; a
// box that overlaps a taken one by more than the threshold (area of the intersection over that of
// the union) is left out. The result lists (batch, class, box).
#include <limits>

#include "graph/ops/detail/mover.h"

namespace sinter {

using namespace detail;

void infer_NonMaxSuppression(InferContext&);

namespace {

struct Box {
  float low[2], high[2];

  float area() const { return (high[0] - low[0]) * (high[1] - low[1]); }
};

/// Corners in any order, or centre and size.
Box read_box(const float* v, bool is_center) {
  Box box;
  for (int a = 0; a < 2; ++a) {
    const float p = is_center ? v[a] - v[a + 2] / 2 : std::min(v[a], v[a + 2]);
    const float q = is_center ? v[a] + v[a + 2] / 2 : std::max(v[a], v[a + 2]);
    box.low[a] = p;
    box.high[a] = q;
  }
  return box;
}

bool overlap(const Box& a, const Box& b, float threshold) {
  Box common;
  for (int i = 0; i < 2; ++i) {
    common.low[i] = std::max(a.low[i], b.low[i]);
    common.high[i] = std::min(a.high[i], b.high[i]);
    if (!(common.high[i] > common.low[i])) return false;
  }
  const float whole = a.area() + b.area() - common.area();
  return a.area() > 0 && b.area() > 0 && whole > 0 && common.area() / whole > threshold;
}

struct Settings {
  i64 most = 0;
  float overlap = 0;
  std::optional<float> score;
};

Settings read_settings(const EvalContext& ctx) {
  Settings s;
  if (ctx.has(2)) s.most = std::max<i64>(ctx.in(2).as_int(0), 0);
  if (ctx.has(3)) s.overlap = float(ctx.in(3).as_double(0));
  if (ctx.has(4)) s.score = float(ctx.in(4).as_double(0));
  ctx.check(s.overlap >= 0 && s.overlap <= 1, "input 3: expected a threshold from 0 to 1, found ",
            s.overlap);
  return s;
}

std::vector<i64> select(const std::vector<Box>& boxes, std::span<const float> scores,
                        const Settings& settings) {
  std::vector<i64> order, taken;
  for (i64 i = 0; i < std::ssize(scores); ++i)
    if (scores[size_t(i)] > settings.score.value_or(-std::numeric_limits<float>::infinity()))
      order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](i64 a, i64 b) { return scores[size_t(a)] > scores[size_t(b)]; });
  for (i64 i : order) {
    if (std::ssize(taken) >= settings.most) break;
    if (std::none_of(taken.begin(), taken.end(), [&](i64 t) {
          return overlap(boxes[size_t(t)], boxes[size_t(i)], settings.overlap);
        }))
      taken.push_back(i);
  }
  return taken;
}

}  // namespace

void infer_NonMaxSuppression(InferContext& ctx) {
  for (i64 i : {0, 1}) {
    const Shape* s = ctx.shape(i);
    expect_float(ctx, i);
    ctx.check(!s || s->size() == 3, "input ", i, ": expected rank 3, found ", s ? to_text(*s) : "");
  }
  const Shape *boxes = ctx.shape(0), *scores = ctx.shape(1);
  ctx.check(!boxes || may_equal(boxes->at(2), Dim(4)), "input 0: expected four numbers a box");
  ctx.check(!boxes || !scores ||
                (may_equal(boxes->at(0), scores->at(0)) && may_equal(boxes->at(1), scores->at(2))),
            "expected one score a box, found ", boxes ? to_text(*boxes) : "", " and ",
            scores ? to_text(*scores) : "");
  for (i64 i = 2; i < ctx.input_count(); ++i)
    if (ctx.has(i)) {
      ctx.check(is_number(ctx.input(i).dtype), "input ", i, ": expected a number");
      ctx.check(!ctx.shape(i) || may_equal(element_count(*ctx.shape(i)), Dim(1)), "input ", i,
                ": expected one element, found ", ctx.shape(i) ? to_text(*ctx.shape(i)) : "");
    }
  set_output(ctx, 0, DType::i64, Shape{Dim::unknown(), Dim(3)});
}

std::vector<Tensor> evaluate_NonMaxSuppression(const EvalContext& ctx) {
  output_types(ctx, infer_NonMaxSuppression);
  const Tensor boxes = convert(ctx.in(0), DType::f32), scores = convert(ctx.in(1), DType::f32);
  const Settings settings = read_settings(ctx);
  const bool is_center = ctx.attributes.integer("center_point_box", 0) != 0;
  const i64 count = boxes.dim(1), classes = scores.dim(1);
  std::vector<i64> rows;
  for (i64 batch = 0; count > 0 && batch < boxes.dim(0); ++batch) {
    std::vector<Box> all;
    for (i64 i = 0; i < count; ++i)
      all.push_back(read_box(boxes.data<float>().data() + (batch * count + i) * 4, is_center));
    for (i64 c = 0; c < classes; ++c)
      for (i64 i : select(
               all,
               scores.data<float>().subspan(size_t((batch * classes + c) * count), size_t(count)),
               settings))
        rows.insert(rows.end(), {batch, c, i});
  }
  return one(Tensor::of<i64>({std::ssize(rows) / 3, 3}, std::span<const i64>(rows)));
}

}  // namespace sinter
