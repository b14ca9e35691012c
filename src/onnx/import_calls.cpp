// SPDX-License-Identifier: Apache-2.0
// Calls of model-local functions: the body takes the call's place.
#include <algorithm>

#include "onnx/importer.h"

namespace sinter::onnx {
namespace {

constexpr int kMaxCallDepth = 32;

/// True for the bodies that export_onnx writes, whatever they call their values: each node
/// combines the result before it, at first x, with the operand listed here. The same name with
/// another body is inlined.
bool stands_for_operator(const FunctionProto& f) {
  struct Step {
    std::string_view op;
    size_t operand;  // of the function's inputs
  };
  constexpr Step kAffine[] = {{"Mul", 1}, {"Add", 2}};
  constexpr Step kQuadratic[] = {{"Mul", 1}, {"Add", 2}, {"Mul", 0}, {"Add", 3}};
  const bool is_affine = f.name == "ChannelAffine";
  if (f.domain != "sinter" || (!is_affine && f.name != "ChannelQuadratic")) return false;
  const std::span<const Step> steps =
      is_affine ? std::span<const Step>(kAffine) : std::span<const Step>(kQuadratic);
  if (f.inputs.size() != (is_affine ? 3 : 4) || f.outputs.size() != 1 ||
      f.nodes.size() != steps.size())
    return false;
  std::set<std::string_view> defined(f.inputs.begin(), f.inputs.end());
  if (defined.size() != f.inputs.size() || defined.count("") > 0) return false;
  std::string_view before = f.inputs[0];
  for (size_t i = 0; i < steps.size(); ++i) {
    const NodeProto& n = f.nodes[i];
    const std::vector<std::string_view> wanted = {before, f.inputs[steps[i].operand]};
    if (!is_default_domain(n.domain) || n.op_type != steps[i].op || n.inputs != wanted ||
        n.outputs.size() != 1 || n.outputs[0].empty() || !n.attributes.empty() ||
        !defined.insert(n.outputs[0]).second)
      return false;
    before = n.outputs[0];
  }
  return before == f.outputs[0];
}

}  // namespace

/// The model-local function that `n` calls, or nullptr when it is an operator.
const FunctionProto* Importer::function_of(const NodeProto& n) const {
  for (const FunctionProto& f : model_.functions)
    if (f.name == n.op_type && f.domain == n.domain && f.overload == n.overload)
      return stands_for_operator(f) ? nullptr : &f;
  return nullptr;
}

bool Importer::is_inlined(const FunctionProto& f) const {
  return stands_for_operator(f) ||
         (options_.inline_functions &&
          std::find(options_.keep_domains.begin(), options_.keep_domains.end(), f.domain) ==
              options_.keep_domains.end());
}

/// Values inside the body get the prefix "<function>_<number>/".
void Importer::inline_call(const NodeProto& n, const FunctionProto& f, std::vector<ValueId> inputs,
                           Scope& outer) {
  require(outer.calls < kMaxCallDepth, ErrorKind::bad_input, "functions call each other more than ",
          kMaxCallDepth, " deep");
  require(inputs.size() <= f.inputs.size() && n.outputs.size() <= f.outputs.size(),
          ErrorKind::bad_input, "function ", f.name, " takes ", f.inputs.size(),
          " inputs and gives ", f.outputs.size(), " outputs, found ", inputs.size(), " and ",
          n.outputs.size());
  inputs.resize(f.inputs.size());
  Scope inner;
  inner.graph = outer.graph;
  inner.names = outer.names;
  inner.calls = outer.calls + 1;
  inner.opsets = f.opsets.empty() ? &model_.opsets : &f.opsets;
  inner.opset = opset_of(*inner.opsets);
  inner.prefix = outer.prefix + std::string(f.name) + "_" + std::to_string(calls_++) + "/";
  for (const AttributeProto& a : f.defaults) inner.attributes[a.name] = &a;
  for (const AttributeProto& a : n.attributes)
    if (const AttributeProto* given = resolve(a, outer.attributes))
      inner.attributes[a.name] = given;
  for (size_t i = 0; i < f.inputs.size(); ++i) inner.values[std::string(f.inputs[i])] = inputs[i];
  for (size_t i = 0; i < n.outputs.size(); ++i)
    if (!n.outputs[i].empty())
      inner.result_names.emplace(f.outputs[i], result_name(n.outputs[i], outer));
  for (size_t i : sorted(f.nodes, inner.values)) node(f.nodes[i], inner);
  for (size_t i = 0; i < n.outputs.size(); ++i) {
    if (n.outputs[i].empty()) continue;
    const auto v = inner.values.find(f.outputs[i]);
    require(v != inner.values.end() && v->second.valid(), ErrorKind::bad_input, "function ", f.name,
            ": output \"", f.outputs[i], "\" is not defined");
    outer.values[std::string(n.outputs[i])] = v->second;
  }
}

}  // namespace sinter::onnx
