// SPDX-License-Identifier: Apache-2.0
// Brings one node of an older opset to the internal form: attributes that became inputs, defaults
// that changed, axes that were flattened. One function an operator, in one table.
// Source: the change log of the ONNX operator set (spec/optimizer.md section 4.1).
#pragma once
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace sinter::onnx {

/// The value names of a file, so that values which the importer adds never meet one that comes
/// later.
class NameSet {
 public:
  void reserve(std::string_view name) { taken_.emplace(name); }
  /// `hint`, or `hint`_2, `hint`_3, ...; reserved at once.
  std::string fresh(std::string_view hint) {
    std::string name(hint);
    for (int i = 2; !taken_.insert(name).second; ++i)
      name = std::string(hint) + "_" + std::to_string(i);
    return name;
  }

 private:
  std::set<std::string, std::less<>> taken_;
};

/// A node on its way into the graph.
struct RawNode {
  Op op;
  std::string name, description;  ///< description: `Conv "conv1"` for messages
  std::vector<ValueId> inputs;
  std::vector<std::string> outputs;
  Attributes attributes;
  NameSet* names;  ///< for values that an upgrade adds
};

/// Changes `node` to the internal form; may add constants and helper nodes to `graph`. Attributes
/// of older forms carry the kinds that `legacy_kind` tells. throws  Error(unsupported) naming the
/// node for forms without an equivalent (training mode)
void upgrade(Graph& graph, RawNode& node, i64 opset);

/// The operator that goes by another name since version `opset`.
std::optional<Op> renamed_op(std::string_view old_name, i64 opset);
/// The part of upgrade() for operators without a row there (onnx/upgrade_forms.cpp).
void upgrade_form(Graph& graph, RawNode& node, i64 opset);
/// Scan of opset 8 (onnx/upgrade_scan.cpp).
void upgrade_scan(Graph& graph, RawNode& node, i64 opset);

/// The kind letter of an attribute that only older forms of the operator have; 0 = none.
char legacy_kind(Op op, std::string_view attribute);

}  // namespace sinter::onnx
