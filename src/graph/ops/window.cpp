// SPDX-License-Identifier: Apache-2.0
#include "graph/ops/window.h"

#include <algorithm>

#include "base/error.h"

namespace sinter {
namespace {

constexpr i64 kMaxSize = i64(1) << 30;  // keeps every product of two sizes inside i64

std::vector<i64> list(std::string_view node, const Attributes& attributes, std::string_view name,
                      i64 count, i64 absent, i64 least) {
  std::vector<i64> values = attributes.integers(name);
  if (values.empty()) values.assign(size_t(count), absent);
  require(std::ssize(values) == count, ErrorKind::bad_input, node, ": ", name, ": expected ", count,
          " values, found ", values.size());
  for (i64 v : values)
    require(v >= least && v <= kMaxSize, ErrorKind::bad_input, node, ": ", name,
            ": expected values from ", least, " to 2^30, found ", v);
  return values;
}

AutoPad read_auto_pad(std::string_view node, const Attributes& attributes) {
  const std::string text = attributes.text("auto_pad", "NOTSET");
  if (text == "NOTSET" || text.empty()) return AutoPad::explicit_pads;
  if (text == "SAME_UPPER") return AutoPad::same_upper;
  if (text == "SAME_LOWER") return AutoPad::same_lower;
  require(text == "VALID", ErrorKind::bad_input, node,
          ": auto_pad: expected NOTSET, SAME_UPPER, SAME_LOWER or VALID, found ", text);
  return AutoPad::valid;
}

bool is_same(AutoPad pad) { return pad == AutoPad::same_upper || pad == AutoPad::same_lower; }

/// Splits `total` into begin and end.
void share(i64 total, bool more_at_end, i64& begin, i64& end) {
  begin = more_at_end ? total / 2 : total - total / 2;
  end = total - begin;
}

void check_rank(std::string_view node, i64 rank) {
  require(rank >= 3, ErrorKind::bad_input, node,
          ": expected an input of rank 3 or more [N,C,spatial...], found rank ", rank);
}

std::vector<i64> tail(std::span<const i64> dims) { return {dims.begin() + 2, dims.end()}; }

}  // namespace

WindowAttributes read_window(std::string_view node, const Attributes& attributes, i64 rank,
                             std::vector<i64> kernel) {
  WindowAttributes w;
  w.auto_pad = read_auto_pad(node, attributes);
  if (kernel.empty() || attributes.has("kernel_shape")) {
    require(attributes.has("kernel_shape"), ErrorKind::bad_input, node,
            ": kernel_shape is required");
    w.kernel = list(node, attributes, "kernel_shape", rank, 1, 1);
    require(kernel.empty() || kernel == w.kernel, ErrorKind::bad_input, node, ": kernel_shape ",
            to_text(w.kernel), " contradicts the filter's ", to_text(kernel));
  } else {
    w.kernel = std::move(kernel);
    for (i64 k : w.kernel)
      require(k >= 1 && k <= kMaxSize, ErrorKind::bad_input, node,
              ": expected filter sizes of 1 or more, found ", to_text(w.kernel));
  }
  w.strides = list(node, attributes, "strides", rank, 1, 1);
  w.dilations = list(node, attributes, "dilations", rank, 1, 1);
  w.pads = list(node, attributes, "pads", 2 * rank, 0, 0);
  if (w.auto_pad != AutoPad::explicit_pads) std::fill(w.pads.begin(), w.pads.end(), 0);
  w.ceil_mode = attributes.integer("ceil_mode", 0) != 0;
  return w;
}

Window resolve_window(std::string_view node, const WindowAttributes& a, std::span<const i64> in) {
  const i64 rank = std::ssize(in);
  Window w{{in.begin(), in.end()},
           a.kernel,
           a.strides,
           a.dilations,
           {a.pads.begin(), a.pads.begin() + rank},
           {a.pads.begin() + rank, a.pads.end()},
           std::vector<i64>(size_t(rank))};
  for (i64 axis = 0; axis < rank; ++axis) {
    const size_t s = size_t(axis);
    const i64 extent = a.extent(axis), stride = w.strides[s];
    require(w.in[s] >= 0 && w.in[s] < (i64(1) << 60), ErrorKind::bad_input, node, ": spatial axis ",
            axis, ": size ", w.in[s], " is out of range");
    if (is_same(a.auto_pad)) {
      w.out[s] = (w.in[s] + stride - 1) / stride;
      const i64 total = std::max<i64>((w.out[s] - 1) * stride + extent - w.in[s], 0);
      share(total, a.auto_pad == AutoPad::same_upper, w.begin[s], w.end[s]);
      require(w.in[s] > 0, ErrorKind::bad_input, node, ": spatial axis ", axis, " is empty");
      continue;
    }
    const i64 room = w.in[s] + w.begin[s] + w.end[s] - extent;
    require(room >= 0, ErrorKind::bad_input, node, ": spatial axis ", axis, ": a window of ",
            extent, " does not fit the padded input of ", w.in[s] + w.begin[s] + w.end[s]);
    w.out[s] = (a.ceil_mode ? room + stride - 1 : room) / stride + 1;
    if (a.ceil_mode && (w.out[s] - 1) * stride >= w.in[s] + w.begin[s]) --w.out[s];
  }
  return w;
}

Dim window_output(std::string_view node, const WindowAttributes& a, i64 axis, const Dim& in) {
  const size_t s = size_t(axis), rank = a.kernel.size();
  if (const auto number = in.value()) {
    WindowAttributes one = a;
    one.kernel = {a.kernel[s]};
    one.strides = {a.strides[s]};
    one.dilations = {a.dilations[s]};
    one.pads = {a.pads[s], a.pads[s + rank]};
    return resolve_window(node, one, std::span(&*number, 1)).out[0];
  }
  const Dim stride(a.strides[s]);
  if (is_same(a.auto_pad)) return ceil_div(in, stride);
  const Dim room = in + Dim(a.pads[s] + a.pads[s + rank] - a.extent(axis));
  if (!a.ceil_mode) return floor_div(room, stride) + Dim(1);
  // Exact unless a last window could start behind the input and be dropped.
  const bool never_dropped = a.pads[s + rank] + a.strides[s] <= a.extent(axis);
  return never_dropped ? ceil_div(room, stride) + Dim(1) : Dim::unknown();
}

Window Window::in_3d() const {
  SINTER_ASSERT(rank() >= 1 && rank() <= 3);
  Window w = *this;
  const auto lift = [&](std::vector<i64>& values, i64 neutral) {
    values.insert(values.begin(), size_t(3 - rank()), neutral);
  };
  lift(w.kernel, 1);
  lift(w.strides, 1);
  lift(w.dilations, 1);
  lift(w.begin, 0);
  lift(w.end, 0);
  lift(w.out, 1);
  lift(w.in, 1);
  return w;
}

Window conv_window(std::string_view node, const Attributes& attributes, std::span<const i64> x,
                   std::span<const i64> w) {
  check_rank(node, std::ssize(x));
  require(w.size() == x.size(), ErrorKind::bad_input, node, ": expected a filter of rank ",
          x.size(), ", found ", to_text(w));
  return resolve_window(node, read_window(node, attributes, std::ssize(x) - 2, tail(w)), tail(x));
}

Window pool_window(std::string_view node, const Attributes& attributes, std::span<const i64> x) {
  check_rank(node, std::ssize(x));
  const WindowAttributes a = read_window(node, attributes, std::ssize(x) - 2, {});
  for (size_t i = 0; i < a.pads.size(); ++i)
    require(a.pads[i] < a.kernel[i % a.kernel.size()], ErrorKind::bad_input, node,
            ": expected pads smaller than the kernel ", to_text(a.kernel), ", found ",
            to_text(a.pads));
  return resolve_window(node, a, tail(x));
}

Window conv_transpose_window(std::string_view node, const Attributes& attributes,
                             std::span<const i64> x, std::span<const i64> w) {
  check_rank(node, std::ssize(x));
  require(w.size() == x.size(), ErrorKind::bad_input, node, ": expected a filter of rank ",
          x.size(), ", found ", to_text(w));
  const i64 rank = std::ssize(x) - 2;
  const WindowAttributes a = read_window(node, attributes, rank, tail(w));
  const std::vector<i64> extra = list(node, attributes, "output_padding", rank, 0, 0);
  std::vector<i64> target = attributes.integers("output_shape");
  if (std::ssize(target) == rank + 2) target.erase(target.begin(), target.begin() + 2);
  require(target.empty() || std::ssize(target) == rank, ErrorKind::bad_input, node,
          ": output_shape: expected ", rank, " values, found ", target.size());
  Window result{tail(x),
                a.kernel,
                a.strides,
                a.dilations,
                {a.pads.begin(), a.pads.begin() + rank},
                {a.pads.begin() + rank, a.pads.end()},
                std::vector<i64>(size_t(rank))};
  for (i64 axis = 0; axis < rank; ++axis) {
    const size_t s = size_t(axis);
    const i64 stride = a.strides[s], in = result.in[s];
    require(in >= 1 && in <= kMaxSize, ErrorKind::bad_input, node, ": spatial axis ", axis,
            ": expected a size of 1 or more, found ", in);
    const i64 full = (in - 1) * stride + extra[s] + a.extent(axis);
    if (target.empty() && !is_same(a.auto_pad)) {
      result.out[s] = full - result.begin[s] - result.end[s];
    } else {
      result.out[s] = target.empty() ? in * stride : target[s];
      share(std::max<i64>(full - result.out[s], 0), a.auto_pad == AutoPad::same_upper,
            result.begin[s], result.end[s]);
    }
    require(result.out[s] >= 1, ErrorKind::bad_input, node, ": spatial axis ", axis,
            ": the output would have size ", result.out[s]);
  }
  return result;
}

}  // namespace sinter
