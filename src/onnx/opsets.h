// SPDX-License-Identifier: Apache-2.0
// Which version of the ONNX operator set has what: operators, element types, attributes, and
// attributes that became inputs. Read from the schemas of ONNX 1.12 and the change log after it.
#pragma once
#include <span>
#include <string_view>

#include "graph/attributes.h"

namespace sinter::onnx {

/// The first version of the default domain that has the operator; 7 also for older ones.
i64 first_opset(std::string_view op);

/// The first version in which the operator takes that element type as its first input.
i64 type_since(std::string_view op, DType type);

/// An attribute that later versions have; before, only `neutral` could be meant.
struct AttributeSince {
  std::string_view op, name;
  i64 opset;
  i64 integer = 0;             ///< neutral value of an int; of every element of a list
  std::string_view text = {};  ///< neutral value of a string
};
std::span<const AttributeSince> attributes_since();
bool is_neutral(const AttributeValue& value, const AttributeSince& row);

/// Input `index` was an attribute before version `opset`: kind I list, i int, f float.
struct InputSince {
  std::string_view op;
  size_t index;
  i64 opset;
  std::string_view attribute;
  char kind;
};
std::span<const InputSince> inputs_since();

}  // namespace sinter::onnx
