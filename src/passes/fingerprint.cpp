// SPDX-License-Identifier: Apache-2.0
#include "passes/fingerprint.h"

#include <sstream>

#include "base/hash.h"

namespace sinter {
namespace {

constexpr i64 kSmall = 256;  // bytes

class Printer {
 public:
  explicit Printer(ConstantsBy constants) : constants_(constants) {}

  std::string text(const Graph& graph) {
    std::string text;
    ValueMap<i64> numbers{-1};
    i64 next = 0;
    for (ValueId v : graph.inputs()) {
      numbers[v] = next++;
      text += "in " + graph.value(v).name + " " + std::to_string(int(graph.dtype(v))) +
              (graph.shape(v) ? to_text(*graph.shape(v)) : "") + "\n";
    }
    const auto operand = [&](ValueId v) {
      if (!v.valid()) return std::string("_");
      if (const Tensor* t = graph.constant(v)) return tensor(*t);
      return std::to_string(numbers[v]);
    };
    for (NodeId id : graph.topological_order()) {
      const Node& node = graph.node(id);
      text += name(node.op);
      for (ValueId v : node.inputs) text += " " + operand(v);
      for (const auto& [key, value] : node.attributes) text += " " + key + "=" + attribute(value);
      for (ValueId v : node.outputs) numbers[v] = next++;
      text += " ->" + std::to_string(node.outputs.size()) + "\n";
    }
    for (const GraphOutput& o : graph.outputs()) text += "out " + o.name + " " + operand(o.value);
    return text;
  }

 private:
  std::string tensor(const Tensor& t) {
    std::string text = std::to_string(int(t.dtype())) + to_text(t.dims());
    if (t.dtype() == DType::string)
      for (const std::string& s : t.strings()) text += std::to_string(s.size()) + s;
    else if (is_container(t.dtype()))
      for (const Tensor& item : t.items()) text += tensor(item);
    else if (constants_ == ConstantsBy::bytes || t.byte_size() <= kSmall)
      text += hex(sha256(t.raw()));
    return text;
  }

  std::string attribute(const AttributeValue& value) {
    std::ostringstream text;
    text << kind_of(value);
    std::visit(
        [&](const auto& v) {
          using T = std::decay_t<decltype(v)>;
          if constexpr (std::is_same_v<T, TensorPtr>)
            text << (v ? tensor(*v) : "");
          else if constexpr (std::is_same_v<T, GraphPtr>)
            text << "{" << (v ? this->text(*v) : "") << "}";
          else if constexpr (requires { v.begin(); } && !std::is_same_v<T, std::string>)
            for (const auto& item : v) text << item << ",";
          else
            text << v;
        },
        value);
    return text.str();
  }

  ConstantsBy constants_;
};

}  // namespace

std::string fingerprint(const Graph& graph, ConstantsBy constants) {
  const std::string text = Printer(constants).text(graph);
  return hex(sha256(std::as_bytes(std::span(text))));
}

}  // namespace sinter
