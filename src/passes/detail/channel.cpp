// SPDX-License-Identifier: Apache-2.0
#include "passes/detail/channel.h"

#include <algorithm>

#include "passes/detail/edit.h"

namespace sinter::passes {
std::optional<i64> channels(const std::optional<Shape>& shape) {
  if (!shape || shape->size() < 2) return std::nullopt;
  return (*shape)[1].value();
}

std::optional<std::vector<double>> channel_values(const Tensor& constant, const Shape& x) {
  const std::optional<i64> c = channels(x);
  const i64 rank = std::ssize(x);
  if (!c || *c < 1 || constant.size() == 0 || constant.dtype() == DType::string)
    return std::nullopt;
  if (!broadcasts_into(to_shape(constant.dims()), x)) return std::nullopt;
  const i64 axis = constant.rank() - (rank - 1);  // of the channels inside the constant
  const i64 count = axis >= 0 ? constant.dim(axis) : 1;
  i64 inner = 1;
  for (i64 d = std::max<i64>(axis + 1, 0); d < constant.rank(); ++d) inner *= constant.dim(d);
  std::vector<double> values(static_cast<size_t>(*c));
  for (i64 i = 0; i < *c; ++i) values[size_t(i)] = constant.as_double(count == 1 ? 0 : i * inner);
  for (i64 i = 0; i < constant.size(); ++i) {
    const double expected = values[size_t(count == 1 ? 0 : i / inner % count)];
    if (!(constant.as_double(i) == expected)) return std::nullopt;
  }
  return values;
}

Tensor channel_parameter(DType type, i64 rank, std::span<const double> values) {
  Dims dims(size_t(rank - 1), 1);
  dims[0] = std::ssize(values);
  return rounded(type, std::move(dims), values);
}

}  // namespace sinter::passes
