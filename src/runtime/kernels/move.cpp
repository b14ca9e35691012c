// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/move.h"

#include <algorithm>
#include <cstring>

namespace sinter {
namespace {

constexpr i64 kTile = 16;                // 16 x 4 bytes: one cache line a tile row
constexpr i64 kGrainElements = 1 << 14;  // below it a copy stays on one thread

i64 normalized(i64 axis, i64 rank) { return axis < 0 ? axis + rank : axis; }

i64 width_of(const KernelSite& site, i64 input = 0) {
  return element_size(site.types[size_t(input)]);
}

/// A body that runs one copy from input 0 to output 0.
PreparedKernel single(StridedCopy copy) {
  return {[copy = std::move(copy)](const KernelArgs& args) {
    copy.run(args.pool, args.inputs[0], args.outputs[0]);
  }};
}

}  // namespace

std::vector<i64> dense_element_steps(const Dims& dims) {
  std::vector<i64> steps(dims.size(), 1);
  for (i64 a = std::ssize(dims) - 2; a >= 0; --a)
    steps[size_t(a)] = steps[size_t(a + 1)] * dims[size_t(a + 1)];
  return steps;
}

StridedCopy::StridedCopy(i64 width, const Dims& sizes, Side from, Side to)
    : width_(width), from_offset_(from.offset), to_offset_(to.offset) {
  std::vector<Axis> axes;  // outermost first, merged
  for (size_t a = 0; a < sizes.size(); ++a) {
    const Axis axis{sizes[a], from.steps[a], to.steps[a]};
    if (axis.size == 1) continue;
    if (!axes.empty() && axes.back().from == axis.size * axis.from &&
        axes.back().to == axis.size * axis.to)
      axes.back() = {axes.back().size * axis.size, axis.from, axis.to};
    else
      axes.push_back(axis);
  }
  const auto take = [&](size_t at) {
    const Axis axis = axes[at];
    axes.erase(axes.begin() + std::ptrdiff_t(at));
    return axis;
  };
  if (!axes.empty()) columns_ = take(axes.size() - 1);
  if (columns_.from != 1)
    for (size_t a = 0; a < axes.size(); ++a)
      if (axes[a].from == 1) {
        rows_ = take(a);
        break;
      }
  for (const Axis& axis : axes) {
    outer_.sizes.push_back(axis.size);
    outer_.steps.push_back({axis.from, axis.to, 0});
    outer_.runs *= axis.size;
  }
}

template <class T>
void StridedCopy::run_as(ThreadPool& pool, const std::byte* from, std::byte* to) const {
  const T* x = reinterpret_cast<const T*>(from) + from_offset_;
  T* y = reinterpret_cast<T*>(to) + to_offset_;
  const Axis r = rows_, c = columns_;
  const i64 per_run = r.size * c.size, grain = std::max<i64>(1, kGrainElements / per_run);
  pool.ranges(outer_.runs, grain, [&](i64 begin, i64 end) {
    for_runs(outer_, begin, end, [&](i64, const std::array<i64, 3>& at) {
      const T* p = x + at[0];
      T* q = y + at[1];
      if (c.from == 1 && c.to == 1) {
        std::memcpy(q, p, size_t(c.size) * sizeof(T));
        return;
      }
      for (i64 r0 = 0; r0 < r.size; r0 += kTile)
        for (i64 c0 = 0; c0 < c.size; c0 += kTile) {
          const i64 r1 = std::min(r0 + kTile, r.size), c1 = std::min(c0 + kTile, c.size);
          for (i64 i = r0; i < r1; ++i)
            for (i64 j = c0; j < c1; ++j) q[i * r.to + j * c.to] = p[i * r.from + j * c.from];
        }
    });
  });
}

void StridedCopy::run(ThreadPool& pool, const std::byte* from, std::byte* to) const {
  switch (width_) {
    case 1:
      return run_as<u8>(pool, from, to);
    case 2:
      return run_as<u16>(pool, from, to);
    case 4:
      return run_as<u32>(pool, from, to);
    default:
      SINTER_ASSERT(width_ == 8);
      return run_as<u64>(pool, from, to);
  }
}

PreparedKernel prepare_transpose(const KernelSite& site) {
  const Dims &x = site.in(0), &y = site.out();
  std::vector<i64> perm = site.attributes().integers("perm");
  if (perm.empty())
    for (i64 a = std::ssize(x) - 1; a >= 0; --a) perm.push_back(a);
  const std::vector<i64> dense = dense_element_steps(x);
  std::vector<i64> steps;
  for (i64 a : perm) steps.push_back(dense[size_t(a)]);
  return single({width_of(site), y, {0, steps}, {0, dense_element_steps(y)}});
}

PreparedKernel prepare_concat(const KernelSite& site) {
  const Dims& y = site.out();
  const size_t axis = size_t(normalized(site.attributes().integer("axis", 0), std::ssize(y)));
  const std::vector<i64> steps = dense_element_steps(y);
  std::vector<StridedCopy> parts;
  i64 at = 0;
  for (const Dims& x : site.inputs) {
    parts.push_back({width_of(site), x, {0, dense_element_steps(x)}, {at * steps[axis], steps}});
    at += x[axis];
  }
  return {[parts = std::move(parts)](const KernelArgs& args) {
    for (size_t i = 0; i < parts.size(); ++i)
      parts[i].run(args.pool, args.inputs[i], args.outputs[0]);
  }};
}

PreparedKernel prepare_split(const KernelSite& site) {
  const Dims& x = site.in(0);
  const size_t axis = size_t(normalized(site.attributes().integer("axis", 0), std::ssize(x)));
  const std::vector<i64> steps = dense_element_steps(x);
  std::vector<StridedCopy> parts;
  i64 at = 0;
  for (const Dims& y : site.outputs) {
    parts.push_back({width_of(site), y, {at * steps[axis], steps}, {0, dense_element_steps(y)}});
    at += y[axis];
  }
  return {[parts = std::move(parts)](const KernelArgs& args) {
    for (size_t i = 0; i < parts.size(); ++i)
      parts[i].run(args.pool, args.inputs[0], args.outputs[i]);
  }};
}

PreparedKernel prepare_slice(const KernelSite& site) {
  for (i64 i = 1; i < std::ssize(site.inputs); ++i)
    if (site.has(i) && site.constant(i) == nullptr) return {};
  const Dims &x = site.in(0), &y = site.out();
  const std::vector<i64> starts = site.constant(1)->as_ints();
  std::vector<i64> axes = site.has(3) ? site.constant(3)->as_ints() : std::vector<i64>();
  std::vector<i64> strides = site.has(4) ? site.constant(4)->as_ints() : std::vector<i64>();
  if (!site.has(3))
    for (i64 a = 0; a < std::ssize(starts); ++a) axes.push_back(a);
  strides.resize(starts.size(), 1);
  std::vector<i64> steps = dense_element_steps(x);
  i64 offset = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    const size_t axis = size_t(normalized(axes[i], std::ssize(x)));
    const i64 size = x[axis], start = starts[i] < 0 ? starts[i] + size : starts[i];
    // How many is in the output's shape; where it begins is clamped as the operator says.
    const i64 first = std::clamp<i64>(start, 0, size - 1);
    offset += first * steps[axis];
    steps[axis] = y[axis] > 1 ? steps[axis] * strides[i] : 0;
  }
  return single({width_of(site), y, {offset, steps}, {0, dense_element_steps(y)}});
}

PreparedKernel prepare_expand(const KernelSite& site) {
  const Dims &x = site.in(0), &y = site.out();
  const std::vector<i64> dense = dense_element_steps(x);
  std::vector<i64> steps(y.size(), 0);
  for (size_t a = 0; a < x.size(); ++a)
    if (x[a] != 1) steps[y.size() - x.size() + a] = dense[a];
  return single({width_of(site), y, {0, steps}, {0, dense_element_steps(y)}});
}

PreparedKernel prepare_pad(const KernelSite& site) {
  if (site.attributes().text("mode", "constant") != "constant" || site.constant(1) == nullptr ||
      site.has(3))
    return {};
  const Dims &x = site.in(0), &y = site.out();
  const std::vector<i64> pads = site.constant(1)->as_ints();
  const std::vector<i64> from = dense_element_steps(x), to = dense_element_steps(y);
  Dims kept = x;
  i64 from_offset = 0, to_offset = 0;
  for (size_t a = 0; a < x.size(); ++a) {
    const i64 begin = pads[a], end = pads[a + x.size()];
    kept[a] += std::min<i64>(begin, 0) + std::min<i64>(end, 0);
    if (kept[a] <= 0) return {};
    from_offset += std::max<i64>(-begin, 0) * from[a];
    to_offset += std::max<i64>(begin, 0) * to[a];
  }
  const i64 width = width_of(site), count = element_count(y);
  const bool has_value = site.has(2), whole = kept == y;
  return {[=, copy = StridedCopy(width, kept, {from_offset, from}, {to_offset, to})](
              const KernelArgs& args) {
    std::byte* out = args.outputs[0];
    if (!whole && !has_value) std::memset(out, 0, size_t(count * width));
    if (!whole && has_value)
      for (i64 i = 0; i < count; ++i) std::memcpy(out + i * width, args.inputs[2], size_t(width));
    copy.run(args.pool, args.inputs[0], out);
  }};
}

PreparedKernel prepare_gather(const KernelSite& site) {
  if (site.types[1] != DType::i64 && site.types[1] != DType::i32) return {};
  const Dims& x = site.in(0);
  const size_t axis = size_t(normalized(site.attributes().integer("axis", 0), std::ssize(x)));
  const bool wide = site.types[1] == DType::i64;
  const i64 size = x[axis], indices = element_count(site.in(1));
  const i64 outer = element_count(std::span(x).first(axis));
  const i64 run = element_count(std::span(x).subspan(axis + 1)) * width_of(site);
  const std::string where = site.description;
  return {[=](const KernelArgs& args) {
    const std::byte* picks = args.inputs[1];
    for (i64 o = 0; o < outer; ++o)
      for (i64 k = 0; k < indices; ++k) {
        i64 i =
            wide ? reinterpret_cast<const i64*>(picks)[k] : reinterpret_cast<const i32*>(picks)[k];
        require(i >= -size && i < size, ErrorKind::bad_input, where, ": expected indices from ",
                -size, " to ", size - 1, ", found ", i);
        if (i < 0) i += size;
        std::memcpy(args.outputs[0] + (o * indices + k) * run,
                    args.inputs[0] + (o * size + i) * run, size_t(run));
      }
  }};
}

}  // namespace sinter
