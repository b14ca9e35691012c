// SPDX-License-Identifier: Apache-2.0
// Resize: every axis is resampled by itself (detail/resample.h), one after the other; their order
// does not matter but for rounding. Sizes come from `scales` (out = floor(in * scale)) or `sizes`.
// Integers are interpolated in double, then cut to their range and truncated.
#include <cmath>
#include <limits>

#include "graph/ops/detail/lines.h"
#include "graph/ops/detail/mover.h"
#include "graph/ops/detail/resample.h"

namespace sinter {

using namespace detail;

void infer_Resize(InferContext&);

namespace {

constexpr i64 kRoi = 1, kScales = 2, kSizes = 3;  // the inputs

template <class Context>
ResampleOptions read_options(const Context& ctx, const Attributes& a) {
  ResampleOptions o;
  const std::string mode = a.text("mode", "nearest");
  ctx.check(mode == "nearest" || mode == "linear" || mode == "cubic",
            "mode: expected nearest, linear or cubic, found ", mode);
  o.sampling = mode == "nearest"  ? Sampling::nearest
               : mode == "linear" ? Sampling::linear
                                  : Sampling::cubic;
  o.coordinates = a.text("coordinate_transformation_mode", o.coordinates);
  ctx.check(is_coordinate_mode(o.coordinates), "coordinate_transformation_mode \"", o.coordinates,
            "\" is not one");
  o.rounding = a.text("nearest_mode", o.rounding);
  ctx.check(is_rounding_mode(o.rounding), "nearest_mode \"", o.rounding, "\" is not one");
  o.cubic_a = a.real("cubic_coeff_a", o.cubic_a);
  o.exclude_outside = a.integer("exclude_outside", 0) != 0;
  o.antialias = a.integer("antialias", 0) != 0;
  return o;
}

template <class Context>
std::vector<i64> read_axes(const Context& ctx, const Attributes& attributes, i64 rank) {
  std::vector<i64> axes = attributes.integers("axes");
  if (!attributes.has("axes"))
    for (i64 a = 0; a < rank; ++a) axes.push_back(a);
  normalize_axes(ctx, axes, rank);  // none repeats
  for (i64& a : axes) a = normalize_axis(ctx, a, rank);
  return axes;
}

enum class Aspect { stretch, not_larger, not_smaller };

template <class Context>
Aspect read_aspect(const Context& ctx, const Attributes& attributes) {
  const std::string text = attributes.text("keep_aspect_ratio_policy", "stretch");
  ctx.check(text == "stretch" || text == "not_larger" || text == "not_smaller",
            "keep_aspect_ratio_policy \"", text, "\" is not one");
  return text == "stretch"      ? Aspect::stretch
         : text == "not_larger" ? Aspect::not_larger
                                : Aspect::not_smaller;
}

/// The one scale of all axes that keeps the aspect.
float common_scale(Aspect aspect, const std::vector<i64>& sizes, const std::vector<i64>& in) {
  float scale = aspect == Aspect::not_larger ? std::numeric_limits<float>::max() : 0.f;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const float own = float(sizes[i]) / float(in[i]);
    scale = aspect == Aspect::not_larger ? std::min(scale, own) : std::max(scale, own);
  }
  return scale;
}

/// floor(in * scale), computed in float as the runtimes do; a symbolic size when the scale is a
/// multiple of a small power of 1/2.
Dim scaled(const InferContext& ctx, const Dim& in, float scale) {
  ctx.check(scale > 0 && scale < 0x1p30f, "expected scales above 0, found ", scale);
  if (const auto number = in.value()) {
    const float size = std::floor(float(*number) * scale);
    ctx.check(size < 0x1p40f, "a size of ", size, " is too large");
    return i64(size);
  }
  constexpr int kBits = 16;
  const double numerator = double(scale) * (1 << kBits);
  if (numerator != std::floor(numerator)) return Dim::unknown();
  return floor_div(in * Dim(i64(numerator)), Dim(1 << kBits));
}

/// Input i when it is there and not empty (opset 11 had empty scales beside sizes).
const Tensor* filled(const EvalContext& ctx, i64 i) {
  return ctx.has(i) && ctx.in(i).size() > 0 ? &ctx.in(i) : nullptr;
}

void shape_by_scales(const InferContext& ctx, const std::vector<i64>& axes, const Tensor& scales,
                     Shape& out) {
  ctx.check(scales.size() == std::ssize(axes), "scales: expected ", axes.size(), " values, found ",
            scales.size());
  for (size_t i = 0; i < axes.size(); ++i) {
    Dim& d = out[size_t(axes[i])];
    d = scaled(ctx, d, float(scales.as_double(i64(i))));
  }
}

void shape_by_sizes(const InferContext& ctx, const std::vector<i64>& axes,
                    const std::vector<Dim>& sizes, Shape& out) {
  ctx.check(sizes.size() == axes.size(), "sizes: expected ", axes.size(), " values, found ",
            sizes.size());
  for (const Dim& d : sizes)
    ctx.check(!d.value() || (*d.value() >= 0 && *d.value() < (i64(1) << 40)),
              "expected sizes of 0 or more, found ", d.text());
  const Aspect aspect = read_aspect(ctx, ctx.attributes());
  std::vector<i64> in;
  for (i64 a : axes) in.push_back(out[size_t(a)].value().value_or(-1));
  const auto targets = static_dims(sizes);
  const bool known = targets && std::all_of(in.begin(), in.end(), [](i64 n) { return n > 0; });
  for (size_t i = 0; i < axes.size(); ++i) {
    Dim& d = out[size_t(axes[i])];
    if (aspect == Aspect::stretch)
      d = sizes[i];
    else
      d = known ? Dim(i64(std::round(common_scale(aspect, *targets, in) * float(in[i]))))
                : Dim::unknown();
  }
}

/// The axes that change, with their scale and region.
std::vector<std::pair<i64, ResampledAxis>> resampled_axes(const EvalContext& ctx, const Dims& out) {
  const Tensor& x = ctx.in(0);
  const std::vector<i64> axes = read_axes(ctx, ctx.attributes, x.rank());
  const Aspect aspect = read_aspect(ctx, ctx.attributes);
  const Tensor *scales = filled(ctx, kScales), *roi = filled(ctx, kRoi);
  const i64 count = std::ssize(axes);
  const bool crops =
      ctx.attributes.text("coordinate_transformation_mode", "") == "tf_crop_and_resize";
  ctx.check(!crops || (roi && roi->size() == 2 * count), "roi: expected ", 2 * count, " values");
  std::vector<i64> in;
  for (i64 a : axes) in.push_back(x.dim(a));
  std::vector<std::pair<i64, ResampledAxis>> all;
  for (i64 i = 0; i < count; ++i) {
    ResampledAxis axis{in[size_t(i)], out[size_t(axes[size_t(i)])]};
    if (scales)
      axis.scale = float(scales->as_double(i));
    else if (aspect == Aspect::stretch)
      axis.scale = float(axis.out) / float(axis.in);
    else
      axis.scale = common_scale(aspect, ctx.in(kSizes).as_ints(), in);
    if (crops) {
      axis.start = float(roi->as_double(i));
      axis.end = float(roi->as_double(i + count));
    }
    all.emplace_back(axes[size_t(i)], axis);
  }
  return all;
}

/// `x` resampled along one axis. `fill` takes the place of what lies outside.
template <class T>
Tensor resample_axis(const Tensor& x, i64 axis, const std::vector<Samples>& samples, T fill) {
  Dims dims = x.dims();
  dims[size_t(axis)] = std::ssize(samples);
  Tensor out(x.dtype(), dims);
  const i64 inner = elements_from(dims, axis + 1), in = x.dim(axis);
  const T* from = x.data<T>().data();
  T* to = out.mutable_data<T>().data();
  for (i64 outer = 0; outer * in * inner < x.size(); ++outer, from += in * inner)
    for (const Samples& s : samples) {
      for (size_t k = 0; !s.outside && k < s.elements.size(); ++k) {
        const T weight = T(s.weights[k]);
        const T* row = from + s.elements[k] * inner;
        for (i64 i = 0; i < inner; ++i) to[i] += weight * row[i];
      }
      if (s.outside) std::fill(to, to + inner, fill);
      to += inner;
    }
  return out;
}

/// Nearest: elements of any type move, none is computed.
Tensor pick_axis(const Tensor& x, i64 axis, const std::vector<Samples>& samples) {
  Dims dims = x.dims();
  dims[size_t(axis)] = std::ssize(samples);
  Tensor out(x.dtype(), dims);
  const Mover mover(x, out);
  const i64 inner = elements_from(dims, axis + 1), in = x.dim(axis);
  i64 at = 0;
  for (i64 outer = 0; outer < x.size(); outer += in * inner)
    for (const Samples& s : samples) {
      mover.row(at, outer + s.elements[0] * inner, 1, inner);
      at += inner;
    }
  return out;
}

/// Doubles cut to the range of an integer type.
Tensor narrowed(const Tensor& values, DType type) {
  Tensor out(type, values.dims());
  for_number(type, "Resize", [&](auto t) {
    using T = decltype(t);
    const auto to = out.mutable_data<T>();
    for (size_t i = 0; i < to.size(); ++i) {
      const double v = values.data<double>()[i];
      const double low = double(std::numeric_limits<T>::lowest());
      const double high = double(std::numeric_limits<T>::max());
      to[i] = v >= high ? std::numeric_limits<T>::max() : v > low ? T(v) : T(low);
    }
  });
  return out;
}

std::vector<Tensor> resize(const EvalContext& ctx) {
  const Dims dims = output_dims(ctx, infer_Resize)[0];
  Tensor x = ctx.in(0).clone();
  const DType type = x.dtype();
  if (element_count(dims) == 0) return one(Tensor(type, dims));
  ctx.check(x.size() > 0, "an empty input cannot be enlarged to ", to_text(dims));
  const ResampleOptions options = read_options(ctx, ctx.attributes);
  const float fill = ctx.attributes.real("extrapolation_value", 0.f);
  const bool crops = options.coordinates == "tf_crop_and_resize";
  const bool picks = options.sampling == Sampling::nearest && !crops;
  if (!picks && !is_float(type)) x = convert(x, DType::f64);
  for (const auto& [axis, plan] : resampled_axes(ctx, dims)) {
    const bool same_place = plan.in == plan.out && plan.scale == 1.f;
    if (same_place && options.coordinates.rfind("tf_", 0) != 0) continue;
    const std::vector<Samples> samples = resample(plan, options);
    if (picks)
      x = pick_axis(x, axis, samples);
    else
      x = for_float(x.dtype(), "Resize", [&, a = axis](auto t) {
        return resample_axis<decltype(t)>(x, a, samples, decltype(t)(fill));
      });
  }
  return one(x.dtype() == type ? std::move(x) : narrowed(x, type));
}

}  // namespace

void infer_Resize(InferContext& ctx) {
  const ResampleOptions options = read_options(ctx, ctx.attributes());
  const DType type = ctx.input(0).dtype;
  ctx.check(options.sampling == Sampling::nearest || is_number(type),
            "input 0: expected a numeric element type to interpolate, found ", name(type));
  const Shape* x = ctx.shape(0);
  if (!x) return set_output(ctx, 0, type, std::nullopt);
  const std::vector<i64> axes = read_axes(ctx, ctx.attributes(), std::ssize(*x));
  const Tensor* scales = ctx.constant(kScales);
  const auto sizes = ctx.int_values(kSizes);
  Shape out = *x;
  if (scales && scales->size() > 0) {
    expect_float(ctx, kScales);
    shape_by_scales(ctx, axes, *scales, out);
  } else if (sizes && !sizes->empty()) {
    shape_by_sizes(ctx, axes, *sizes, out);
  } else {
    ctx.check(ctx.has(kScales) || ctx.has(kSizes), "expected scales or sizes, found neither");
    for (i64 a : axes) out[size_t(a)] = Dim::unknown();
  }
  set_output(ctx, 0, type, std::move(out));
}

std::vector<Tensor> evaluate_Resize(const EvalContext& ctx) { return through_float(ctx, resize); }

}  // namespace sinter
