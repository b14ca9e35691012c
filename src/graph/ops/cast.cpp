// SPDX-License-Identifier: Apache-2.0
// Cast and CastLike between all element types. Numbers follow C++ (a float to an integer truncates,
// to bool is != 0). Strings:
//   to a string    an integer in decimals; a float with the fewest digits that read back the same,
//                  plain for magnitudes from 1e-4 to 1e16, else with an exponent; NaN, INF, -INF
//   from a string  the same spellings in any case of letters, "+INF", and plain or scientific
//                  numbers; an integer target takes the whole part of a number with a fraction
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "graph/ops/detail/content.h"

namespace sinter {

using namespace detail;

void infer_Cast(InferContext&);
void infer_CastLike(InferContext&);

namespace {

DType target_type(const InferContext& ctx) {
  ctx.check(ctx.attributes().has("to"), "to is required");
  const i64 code = ctx.attributes().integer("to", 0);
  const bool known = code > 0 && code < 100 && name(DType(code)) != "unknown";
  require(known, ErrorKind::unsupported, ctx.node(), ": to: element type number ", code,
          " is not supported");
  return DType(code);
}

/// Content of a small tensor; a float one has its values truncated.
Content truncated_content(const InferContext& ctx) {
  const Tensor* t = ctx.constant(0);
  if (t == nullptr) return ctx.input(0).dims;
  if (t->dtype() == DType::string || t->rank() > 1 || t->size() > kMaxContent) return std::nullopt;
  std::vector<Dim> values;
  for (i64 v : t->as_ints()) values.emplace_back(v);
  return values;
}

void set_cast(InferContext& ctx, DType to) {
  Content content = truncated_content(ctx);
  if (content && to == DType::boolean) {
    const Tensor* t = ctx.constant(0);
    for (size_t i = 0; i < content->size(); ++i) {
      Dim& d = (*content)[i];
      d = t ? Dim(i64(t->as_double(i64(i)) != 0)) : truth(is_equal(d, 0));
      if (!t) d = negation(d);
    }
  }
  set_output(ctx, 0, to, ctx.input(0).shape, std::move(content));
}

template <class T>
std::string spelled(T v) {
  char buffer[64];
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(v)) return "NaN";
    if (std::isinf(v)) return v > 0 ? "INF" : "-INF";
    const T size = std::fabs(v);
    const bool plain = size == 0 || (size >= T(1e-4) && size < T(1e16));
    const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
    return {buffer, std::to_chars(buffer, buffer + sizeof buffer, v, format).ptr};
  } else {
    return {buffer, std::to_chars(buffer, buffer + sizeof buffer, v).ptr};
  }
}

Tensor to_strings(const Tensor& x) {
  Tensor out(DType::string, x.dims());
  for_type(x.dtype(), "Cast", [&](auto t) {
    using T = decltype(t);
    for (size_t i = 0; i < size_t(x.size()); ++i) {
      std::string& text = out.mutable_strings()[i];
      if constexpr (std::is_same_v<T, bool>)
        text.assign(1, x.raw()[i] != std::byte(0) ? '1' : '0');
      else if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat>)
        text = spelled(to_float(x.data<T>()[i]));
      else
        text = spelled(x.data<T>()[i]);
    }
  });
  return out;
}

std::string lower_case(std::string_view text) {
  std::string lower;
  for (char c : text) lower += c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
  return lower;
}

/// One number; T is float, double or a 64-bit integer.
template <class T>
T read_number(const EvalContext& ctx, const std::string& original) {
  const std::string lower = lower_case(original);
  std::string_view text = lower;
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  T v = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  const bool whole = end == text.data() + text.size();
  if (whole && error == std::errc()) return v;  // "inf" and "nan" too
  if constexpr (std::is_integral_v<T>) return from_double<T>(read_number<double>(ctx, original));
  ctx.check(whole && error == std::errc::result_out_of_range, "expected a number, found \"",
            original.substr(0, 40), "\"");
  return T(std::strtod(lower.c_str(), nullptr));  // an infinity or nearly zero
}

Tensor from_strings(const EvalContext& ctx, DType to) {
  const DType wide = to == DType::f64 || to == DType::u64 ? to
                     : is_float(to)                       ? DType::f32
                                                          : DType::i64;
  Tensor numbers(wide, ctx.in(0).dims());
  for_number(wide, ctx.node, [&](auto t) {
    using T = decltype(t);
    const std::span<T> values = numbers.mutable_data<T>();
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = read_number<T>(ctx, ctx.in(0).strings()[i]);
  });
  return convert(numbers, to);
}

std::vector<Tensor> cast(const EvalContext& ctx, Infer infer, DType to) {
  output_dims(ctx, infer);
  const DType from = ctx.in(0).dtype();
  if (from == to) return one(ctx.in(0).clone());
  if (from == DType::string) return one(from_strings(ctx, to));
  return one(to == DType::string ? to_strings(ctx.in(0)) : convert(ctx.in(0), to));
}

}  // namespace

void infer_Cast(InferContext& ctx) { set_cast(ctx, target_type(ctx)); }
void infer_CastLike(InferContext& ctx) { set_cast(ctx, ctx.input(1).dtype); }

std::vector<Tensor> evaluate_Cast(const EvalContext& ctx) {
  return cast(ctx, infer_Cast, DType(ctx.attributes.integer("to", 0)));
}

std::vector<Tensor> evaluate_CastLike(const EvalContext& ctx) {
  return cast(ctx, infer_CastLike, ctx.in(1).dtype());
}

}  // namespace sinter
