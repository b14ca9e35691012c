// SPDX-License-Identifier: Apache-2.0
// Signal operators:
//   HannWindow, HammingWindow, BlackmanWindow   sums of cosines of 2 pi i / n; n = size, or size -
//   1
//                                               when the window is symmetric (periodic = 0)
//   DFT    along one axis; the last axis holds 1 (real) or 2 (complex) numbers
//   STFT   DFT of frames of a signal, frame_step apart, times a window
//   MelWeightMatrix   triangles of frequency bins on the mel scale
// The transforms are defining sums in double with exact turns (i * k mod n), so that a length of
// thousands loses no digits.
#include <cmath>
#include <numbers>

#include "graph/ops/detail/lines.h"
#include "graph/ops/detail/mover.h"

namespace sinter {

using namespace detail;

void infer_DFT(InferContext&);
void infer_STFT(InferContext&);

namespace {

constexpr i64 kMaxLength = i64(1) << 24;  ///< of a transform or a window

/// cos(2 pi i / n) and sin(2 pi i / n) for i in [0, n).
struct Turns {
  std::vector<double> cosine, sine;

  explicit Turns(i64 n) {
    for (i64 i = 0; i < n; ++i) {
      const double angle = 2 * std::numbers::pi * double(i) / double(n);
      cosine.push_back(std::cos(angle));
      sine.push_back(std::sin(angle));
    }
  }
};

struct Complex {
  double real = 0, imaginary = 0;
};

/// Output k of the transform of x, which zeros follow up to the length of `turns`.
Complex transform(const Turns& turns, const std::vector<Complex>& x, i64 k, bool inverse) {
  const i64 n = std::ssize(turns.cosine);
  Complex sum;
  i64 turn = 0;
  for (const Complex& v : x) {
    const double c = turns.cosine[size_t(turn)];
    const double s = inverse ? turns.sine[size_t(turn)] : -turns.sine[size_t(turn)];
    sum.real += v.real * c - v.imaginary * s;
    sum.imaginary += v.real * s + v.imaginary * c;
    turn += k;
    if (turn >= n) turn -= n;
  }
  if (inverse) sum = {sum.real / double(n), sum.imaginary / double(n)};
  return sum;
}

/// The only element of an integer input, when it is known.
std::optional<Dim> scalar_content(const InferContext& ctx, i64 i) {
  expect_index(ctx, i);
  expect_single(ctx, i);
  const auto values = ctx.int_values(i);
  if (!values || values->size() != 1) return std::nullopt;
  return values->at(0);
}

void check_length(const InferContext& ctx, const Dim& length) {
  ctx.check(!length.value() || *length.value() >= 1, "expected a length of 1 or more, found ",
            length.text());
  require(!length.value() || *length.value() <= kMaxLength, ErrorKind::unsupported, ctx.node(),
          ": expected a length of at most 2^24, found ", length.text());
}

Dim half_and_one(const Dim& length) { return floor_div(length, Dim(2)) + Dim(1); }

/// [..., 1 or 2]
void check_components(const InferContext& ctx, const Shape& x) {
  ctx.check(x.size() >= 2 && (!x.back().value() || x.back().is(1) || x.back().is(2)),
            "expected an input [...,1] or [...,2] of rank 2 or more, found ", to_text(x));
}

std::vector<Tensor> dft(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  Tensor out(x.dtype(), output_dims(ctx, infer_DFT)[0]);
  if (out.size() == 0) return one(std::move(out));
  const i64 axis = normalize_axis(ctx, ctx.has(2) ? ctx.in(2).as_int(0) : -2, x.rank());
  const i64 length = ctx.has(1) ? ctx.in(1).as_int(0) : x.dim(axis);
  const bool inverse = ctx.attributes.integer("inverse", 0) != 0;
  const i64 parts = x.dim(x.rank() - 1);
  Dims points = x.dims(), out_points = out.dims();  // without the components
  points.pop_back();
  out_points.pop_back();
  const Lines from = lines_along(points, axis), to = lines_along(out_points, axis);
  const Turns turns(length);
  const i64 used = std::min(from.length, length);
  for_float(x.dtype(), "DFT", [&](auto t) {
    using T = decltype(t);
    std::vector<Complex> line(static_cast<size_t>(used));
    for (i64 l = 0; l < from.count; ++l) {
      for (i64 i = 0; i < used; ++i) {
        const T* v = x.data<T>().data() + (from.first(l) + i * from.step) * parts;
        line[size_t(i)] = {double(v[0]), parts > 1 ? double(v[1]) : 0};
      }
      for (i64 k = 0; k < to.length; ++k) {
        const Complex y = transform(turns, line, k, inverse);
        T* v = out.mutable_data<T>().data() + (to.first(l) + k * to.step) * 2;
        v[0] = T(y.real);
        v[1] = T(y.imaginary);
      }
    }
  });
  return one(std::move(out));
}

std::vector<Tensor> stft(const EvalContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Dims dims = output_dims(ctx, infer_STFT)[0];  // [N, frames, bins, 2]
  Tensor out(x.dtype(), dims);
  if (out.size() == 0) return one(std::move(out));
  const i64 step = ctx.in(1).as_int(0);
  const i64 length = ctx.has(3) ? ctx.in(3).as_int(0) : ctx.in(2).size();
  const i64 parts = x.rank() > 2 ? x.dim(2) : 1;
  const Turns turns(length);
  for_float(x.dtype(), "STFT", [&](auto t) {
    using T = decltype(t);
    T* to = out.mutable_data<T>().data();
    std::vector<Complex> frame(static_cast<size_t>(length));
    for (i64 n = 0; n < dims[0]; ++n)
      for (i64 f = 0; f < dims[1]; ++f) {
        for (i64 i = 0; i < length; ++i) {
          const T* v = x.data<T>().data() + (n * x.dim(1) + f * step + i) * parts;
          const double w = ctx.has(2) ? double(ctx.in(2).data<T>()[size_t(i)]) : 1;
          frame[size_t(i)] = {w * double(v[0]), parts > 1 ? w * double(v[1]) : 0};
        }
        for (i64 k = 0; k < dims[2]; ++k) {
          const Complex y = transform(turns, frame, k, false);
          *to++ = T(y.real);
          *to++ = T(y.imaginary);
        }
      }
  });
  return one(std::move(out));
}

void infer_window(InferContext& ctx) {
  const auto size = scalar_content(ctx, 0);
  if (size) {
    ctx.check(!size->value() || *size->value() >= 0, "expected a size of 0 or more, found ",
              size->text());
    require(!size->value() || *size->value() <= kMaxLength, ErrorKind::unsupported, ctx.node(),
            ": expected a size of at most 2^24, found ", size->text());
  }
  const i64 type = ctx.attributes().integer("output_datatype", i64(DType::f32));
  ctx.check(type > 0 && type <= i64(DType::bf16) && is_number(DType(type)),
            "output_datatype: ", type, " is not a numeric element type");
  set_output(ctx, 0, DType(type), Shape{size ? *size : Dim::unknown()});
}

/// w[i] = c0 - c1 cos(2 pi i / n) + c2 cos(4 pi i / n)
std::vector<Tensor> window(const EvalContext& ctx, Infer infer, double c0, double c1, double c2) {
  Tensor values(DType::f64, output_dims(ctx, infer)[0]);
  const bool periodic = ctx.attributes.integer("periodic", 1) != 0;
  const double n = double(values.size() - (periodic ? 0 : 1));
  const auto w = values.mutable_data<double>();
  for (size_t i = 0; i < w.size(); ++i) {
    const double angle = 2 * std::numbers::pi * double(i) / n;
    w[i] = c0 - c1 * std::cos(angle) + c2 * std::cos(2 * angle);
  }
  return one(convert(values, DType(ctx.attributes.integer("output_datatype", i64(DType::f32)))));
}

double to_mel(double hertz) { return 2595 * std::log10(1 + hertz / 700); }
double to_hertz(double mel) { return 700 * (std::pow(10., mel / 2595) - 1); }

/// Spectrogram bins at the corners of the triangles, num_mel_bins + 2 of them.
std::vector<i64> mel_corners(const EvalContext& ctx, i64 bins, i64 length) {
  const double low = to_mel(ctx.in(3).as_double(0)), high = to_mel(ctx.in(4).as_double(0));
  const double rate = ctx.in(2).as_double(0), step = (high - low) / double(bins + 2);
  std::vector<i64> corners;
  for (i64 i = 0; i < bins + 2; ++i) {
    const double bin = std::floor(double(length + 1) * to_hertz(low + double(i) * step) / rate);
    ctx.check(bin >= 0 && bin <= double(length / 2), "frequency bin ", bin, " is outside 0 to ",
              length / 2);
    corners.push_back(i64(bin));
  }
  return corners;
}

}  // namespace

void infer_HannWindow(InferContext& ctx) { infer_window(ctx); }
void infer_HammingWindow(InferContext& ctx) { infer_window(ctx); }
void infer_BlackmanWindow(InferContext& ctx) { infer_window(ctx); }

void infer_DFT(InferContext& ctx) {
  expect_float(ctx, 0);
  const Attributes& a = ctx.attributes();
  const bool onesided = a.integer("onesided", 0) != 0;
  ctx.check(!onesided || a.integer("inverse", 0) == 0, "onesided and inverse exclude each other");
  const std::optional<Dim> given = ctx.has(1) ? scalar_content(ctx, 1) : std::nullopt;
  const std::optional<Dim> axis = ctx.has(2) ? scalar_content(ctx, 2) : Dim(-2);
  const Shape* x = ctx.shape(0);
  if (!x) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  check_components(ctx, *x);
  const i64 rank = std::ssize(*x);
  Shape out = *x;
  out.back() = Dim(2);
  if (axis && axis->value()) {
    const i64 a_number = normalize_axis(ctx, *axis->value(), rank);
    ctx.check(a_number != rank - 1, "axis ", a_number, " holds the components of a number");
    Dim& d = out[size_t(a_number)];
    if (ctx.has(1)) d = given ? *given : Dim::unknown();
    check_length(ctx, d);
    if (onesided) d = half_and_one(d);
  } else {
    for (size_t i = 0; i + 1 < out.size(); ++i) out[i] = Dim::unknown();
  }
  set_output(ctx, 0, ctx.input(0).dtype, std::move(out));
}

void infer_STFT(InferContext& ctx) {
  expect_float(ctx, 0);
  ctx.check(!ctx.has(2) || ctx.input(2).dtype == ctx.input(0).dtype,
            "input 2: expected a window of the element type of input 0");
  ctx.check(ctx.has(2) || ctx.has(3), "expected a window or a frame length, found neither");
  const auto step = scalar_content(ctx, 1);
  ctx.check(!step || !step->value() || (*step->value() >= 1 && *step->value() <= kMaxLength),
            "expected a frame step of 1 or more, found ", step ? step->text() : "");
  Dim length;
  if (ctx.has(3)) length = scalar_content(ctx, 3).value_or(Dim::unknown());
  if (const Shape* w = ctx.shape(2)) {
    ctx.check(w->size() == 1, "input 2: expected rank 1, found ", to_text(*w));
    if (!ctx.has(3)) length = w->at(0);
    expect_vector(ctx, 2, length);
  }
  check_length(ctx, length);
  const Shape* x = ctx.shape(0);
  if (!x) return set_output(ctx, 0, ctx.input(0).dtype, std::nullopt);
  ctx.check(x->size() == 3 || x->size() == 2, "expected a signal [N,length,1 or 2], found ",
            to_text(*x));
  if (x->size() == 3) check_components(ctx, *x);
  ctx.check(!length.value() || !x->at(1).value() || *length.value() <= *x->at(1).value(),
            "a frame of ", length.text(), " does not fit a signal of ", x->at(1).text());
  const bool onesided = ctx.attributes().integer("onesided", 1) != 0;
  const Dim frames = step ? floor_div(x->at(1) - length, *step) + Dim(1) : Dim::unknown();
  set_output(ctx, 0, ctx.input(0).dtype,
             Shape{x->at(0), frames, onesided ? half_and_one(length) : length, Dim(2)});
}

void infer_MelWeightMatrix(InferContext& ctx) {
  const auto bins = scalar_content(ctx, 0), length = scalar_content(ctx, 1);
  scalar_content(ctx, 2);
  for (i64 i : {3, 4}) {
    expect_float(ctx, i);
    expect_single(ctx, i);
  }
  if (bins) check_length(ctx, *bins);
  if (length) check_length(ctx, *length);
  const i64 type = ctx.attributes().integer("output_datatype", i64(DType::f32));
  ctx.check(type > 0 && type <= i64(DType::bf16) && is_number(DType(type)),
            "output_datatype: ", type, " is not a numeric element type");
  set_output(ctx, 0, DType(type),
             Shape{length ? half_and_one(*length) : Dim::unknown(), bins ? *bins : Dim::unknown()});
}

std::vector<Tensor> evaluate_HannWindow(const EvalContext& ctx) {
  return window(ctx, infer_HannWindow, 0.5, 0.5, 0);
}
std::vector<Tensor> evaluate_HammingWindow(const EvalContext& ctx) {
  return window(ctx, infer_HammingWindow, 25. / 46, 21. / 46, 0);
}
std::vector<Tensor> evaluate_BlackmanWindow(const EvalContext& ctx) {
  return window(ctx, infer_BlackmanWindow, 0.42, 0.5, 0.08);
}
std::vector<Tensor> evaluate_DFT(const EvalContext& ctx) { return through_float(ctx, dft); }
std::vector<Tensor> evaluate_STFT(const EvalContext& ctx) { return through_float(ctx, stft); }

std::vector<Tensor> evaluate_MelWeightMatrix(const EvalContext& ctx) {
  Tensor values(DType::f64, output_dims(ctx, infer_MelWeightMatrix)[0]);
  const i64 bins = values.dim(1);
  const std::vector<i64> corners = mel_corners(ctx, bins, ctx.in(1).as_int(0));
  const auto w = values.mutable_data<double>();
  for (i64 b = 0; b < bins; ++b) {
    const i64 low = corners[size_t(b)], centre = corners[size_t(b + 1)],
              high = corners[size_t(b + 2)];
    if (low == centre) w[size_t(centre * bins + b)] = 1;
    for (i64 i = low; low < centre && i <= centre; ++i)
      w[size_t(i * bins + b)] = double(i - low) / double(centre - low);
    for (i64 i = centre; i < high; ++i)
      w[size_t(i * bins + b)] = double(high - i) / double(high - centre);
  }
  return one(convert(values, DType(ctx.attributes.integer("output_datatype", i64(DType::f32)))));
}

}  // namespace sinter
