// SPDX-License-Identifier: Apache-2.0
// Attributes of a node: a small ordered map from name to value, with typed look-ups that take the
// operator's default.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "graph/tensor.h"

namespace sinter {

class Graph;
/// The body of a control-flow operator; see graph/graph.h.
using GraphPtr = std::shared_ptr<const Graph>;

using AttributeValue = std::variant<i64, float, std::string, TensorPtr, std::vector<i64>,
                                    std::vector<float>, std::vector<std::string>, GraphPtr>;
/// The kind of a value as the operator table writes it: i f s t I F S g.
inline char kind_of(const AttributeValue& value) { return "ifstIFSg"[value.index()]; }

class Attributes {
 public:
  using Map = std::map<std::string, AttributeValue, std::less<>>;

  Attributes() = default;
  Attributes(std::initializer_list<Map::value_type> values) : values_(values) {}

  bool has(std::string_view name) const { return values_.find(name) != values_.end(); }
  void set(std::string name, AttributeValue value) { values_[std::move(name)] = std::move(value); }
  void erase(std::string_view name) {
    if (const auto it = values_.find(name); it != values_.end()) values_.erase(it);
  }
  Map::const_iterator begin() const { return values_.begin(); }
  Map::const_iterator end() const { return values_.end(); }
  bool empty() const { return values_.empty(); }

  /// The value, or `absent` when there is none.
  /// throws  Error(bad_input) when it is there with another kind
  i64 integer(std::string_view name, i64 absent) const { return get<i64>(name, absent); }
  float real(std::string_view name, float absent) const { return get<float>(name, absent); }
  std::string text(std::string_view name, std::string absent) const {
    return get<std::string>(name, std::move(absent));
  }
  std::vector<i64> integers(std::string_view name, std::vector<i64> absent = {}) const {
    return get<std::vector<i64>>(name, std::move(absent));
  }
  std::vector<float> reals(std::string_view name, std::vector<float> absent = {}) const {
    return get<std::vector<float>>(name, std::move(absent));
  }
  std::vector<std::string> texts(std::string_view name,
                                 std::vector<std::string> absent = {}) const {
    return get<std::vector<std::string>>(name, std::move(absent));
  }
  /// nullptr when absent.
  TensorPtr tensor(std::string_view name) const { return get<TensorPtr>(name, nullptr); }
  /// nullptr when absent.
  GraphPtr graph(std::string_view name) const { return get<GraphPtr>(name, nullptr); }

  /// Same names and values; tensors by bytes, floats by bits, graphs by their text.
  friend bool operator==(const Attributes& a, const Attributes& b);

 private:
  template <class T>
  T get(std::string_view name, T absent) const {
    const auto it = values_.find(name);
    if (it == values_.end()) return absent;
    const T* value = std::get_if<T>(&it->second);
    require(value != nullptr, ErrorKind::bad_input, "attribute ", name, ": unexpected kind");
    return *value;
  }
  Map values_;
};

/// Same type, dims and bytes; containers item by item.
bool identical(const Tensor& a, const Tensor& b);

}  // namespace sinter
