// SPDX-License-Identifier: Apache-2.0
// Changes names inside node bytes that are otherwise passed through: values that a raw subgraph
// captures, and function attributes that an inlined body refers to.
#pragma once
#include <map>
#include <string>
#include <string_view>

#include "onnx/model.h"

namespace sinter::onnx {

using Renames = std::map<std::string, std::string, std::less<>>;

/// The fields of a NodeProto in `bytes`, all copied but those that hold a name to change. A name
/// that a subgraph defines itself is not one outside and stays. `attributes` (nullptr: references
/// stay) are what references stand for; one that is not there is dropped with its attribute.
/// throws  Error(bad_input) when the bytes are malformed
std::string rewrite_node(std::string_view bytes, const Renames& renames,
                         const std::map<std::string_view, const AttributeProto*>* attributes);

}  // namespace sinter::onnx
