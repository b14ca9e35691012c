// SPDX-License-Identifier: Apache-2.0
#include "graph/attributes.h"

#include <algorithm>
#include <cstring>

#include "graph/text.h"

namespace sinter {

bool identical(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.dims() != b.dims()) return false;
  if (a.dtype() == DType::string) return a.strings() == b.strings();
  if (is_container(a.dtype()))
    return std::equal(a.items().begin(), a.items().end(), b.items().begin(), b.items().end(),
                      identical);
  return a.size() == 0 || std::memcmp(a.raw().data(), b.raw().data(), a.raw().size()) == 0;
}

namespace {

bool same_value(const AttributeValue& a, const AttributeValue& b) {
  if (a.index() != b.index()) return false;
  if (const auto* x = std::get_if<float>(&a))
    return std::memcmp(x, std::get_if<float>(&b), sizeof *x) == 0;
  if (const auto* x = std::get_if<std::vector<float>>(&a)) {
    const auto& y = std::get<std::vector<float>>(b);
    return x->size() == y.size() && std::memcmp(x->data(), y.data(), x->size() * 4) == 0;
  }
  if (const auto* x = std::get_if<TensorPtr>(&a)) {
    const auto& y = std::get<TensorPtr>(b);
    return *x == y || (*x && y && identical(**x, *y));
  }
  if (const auto* x = std::get_if<GraphPtr>(&a)) {
    const auto& y = std::get<GraphPtr>(b);
    return *x == y || (*x && y && to_text(**x) == to_text(*y));
  }
  return a == b;
}

}  // namespace

bool operator==(const Attributes& a, const Attributes& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && same_value(x.second, y.second);
  });
}

}  // namespace sinter
