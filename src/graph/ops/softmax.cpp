// SPDX-License-Identifier: Apache-2.0
// Softmax, LogSoftmax, Hardmax along one axis. The largest element of a line is subtracted before
// the exponentials, so that none overflows:
//   Softmax     e^(x - m) / s            s = sum of e^(x - m) in memory order
//   LogSoftmax  (x - m) - log(s)
//   Hardmax     1 at the first largest element, else 0
#include <cmath>

#include "graph/ops/detail/lines.h"
#include "graph/ops/detail/unary.h"

namespace sinter {

using namespace detail;

namespace {

void infer_line(InferContext& ctx) {
  expect_float(ctx, 0);
  if (const Shape* x = ctx.shape(0))
    normalize_axis(ctx, ctx.attributes().integer("axis", -1), std::ssize(*x));
  set_output(ctx, 0, ctx.input(0).dtype, ctx.input(0).shape);
}

/// Elements along the axis, `step` apart.
template <class T>
struct Line {
  const T* from;
  T* to;
  i64 length, step;

  T largest() const {
    T most = from[0];
    for (i64 i = 1; i < length; ++i) most = std::max(most, from[i * step]);
    return most;
  }
};

struct Softmax {
  template <class T>
  void operator()(const Line<T>& line) const {
    const T most = line.largest();
    T sum = 0;
    for (i64 i = 0; i < line.length; ++i)
      sum += line.to[i * line.step] = std::exp(line.from[i * line.step] - most);
    for (i64 i = 0; i < line.length; ++i) line.to[i * line.step] /= sum;
  }
};

struct LogSoftmax {
  template <class T>
  void operator()(const Line<T>& line) const {
    const T most = line.largest();
    T sum = 0;
    for (i64 i = 0; i < line.length; ++i) sum += std::exp(line.from[i * line.step] - most);
    const T log_sum = std::log(sum);
    for (i64 i = 0; i < line.length; ++i)
      line.to[i * line.step] = line.from[i * line.step] - most - log_sum;
  }
};

struct Hardmax {
  template <class T>
  void operator()(const Line<T>& line) const {
    const T most = line.largest();
    for (i64 i = 0; i < line.length; ++i) {
      if (line.from[i * line.step] != most) continue;
      line.to[i * line.step] = 1;
      return;
    }
  }
};

template <class Body>
std::vector<Tensor> for_each_line(const EvalContext& ctx, Body) {
  return through_float(ctx, [](const EvalContext& c) {
    const Tensor& x = c.in(0);
    Tensor out(x.dtype(), output_dims(c, infer_line)[0]);
    if (x.size() == 0) return one(std::move(out));
    const Lines lines =
        lines_along(x.dims(), normalize_axis(c, c.attributes.integer("axis", -1), x.rank()));
    for_float(x.dtype(), c.node, [&](auto t) {
      using T = decltype(t);
      const T* from = x.data<T>().data();
      T* to = out.template mutable_data<T>().data();
      for (i64 line = 0; line < lines.count; ++line) {
        const i64 first = lines.first(line);
        Body()(Line<T>{from + first, to + first, lines.length, lines.step});
      }
    });
    return one(std::move(out));
  });
}

}  // namespace

void infer_Softmax(InferContext& ctx) { infer_line(ctx); }
void infer_LogSoftmax(InferContext& ctx) { infer_line(ctx); }
void infer_Hardmax(InferContext& ctx) { infer_line(ctx); }

std::vector<Tensor> evaluate_Softmax(const EvalContext& ctx) {
  return for_each_line(ctx, Softmax{});
}
std::vector<Tensor> evaluate_LogSoftmax(const EvalContext& ctx) {
  return for_each_line(ctx, LogSoftmax{});
}
std::vector<Tensor> evaluate_Hardmax(const EvalContext& ctx) {
  return for_each_line(ctx, Hardmax{});
}

}  // namespace sinter
