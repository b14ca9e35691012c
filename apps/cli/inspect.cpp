// SPDX-License-Identifier: Apache-2.0
// sinter inspect: what a model file holds.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "cli/table.h"
#include "cli/verbs.h"
#include "graph/text.h"
#include "onnx/import.h"
#include "passes/pipeline.h"

namespace sinter::cli {
namespace {

struct Options {
  std::vector<std::string> models;
  bool operators = false, text = false, json = false;
};

/// The most frequent first.
std::vector<std::pair<std::string, i64>> by_count(const OpHistogram& ops) {
  std::vector<std::pair<std::string, i64>> sorted(ops.begin(), ops.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return sorted;
}

std::string shape_text(const std::optional<Shape>& shape) {
  return shape ? to_text(*shape) : "unknown";
}

std::string count_range(int low, int high) {
  if (high < 0) return fmt::format("{} or more", low);
  return low == high ? std::to_string(low) : fmt::format("{} to {}", low, high);
}

void print_operators(bool json) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  Table table({"<operator", "<domain", "inputs", "outputs", "since opset", "<attributes"});
  for (const OpInfo& op : all_ops()) {
    const std::string domain = op.opset == 0 ? "sinter" : "ai.onnx";
    table.add({std::string(op.name), domain, count_range(op.min_inputs, op.max_inputs),
               count_range(op.min_outputs, op.max_outputs),
               op.opset == 0 ? "" : std::to_string(op.opset), std::string(op.attributes)});
    all.push_back({{"name", op.name},
                   {"domain", domain},
                   {"min_inputs", op.min_inputs},
                   {"max_inputs", op.max_inputs},
                   {"min_outputs", op.min_outputs},
                   {"max_outputs", op.max_outputs},
                   {"opset", op.opset},
                   {"attributes", op.attributes}});
  }
  if (json) {
    print(nlohmann::ordered_json{{"operators", all}}.dump(2) + "\n");
    return;
  }
  print(table.text() +
        "\nOperators are listed in their internal form; older forms are brought to it.\n"
        "Attribute kinds: i integer, f float, s text, t tensor, g graph, I and F and S lists.\n");
}

void print_model(const Graph& graph, const Options& o) {
  nlohmann::ordered_json json = {{"file", o.models[0]},
                                 {"opset", graph.info.opset},
                                 {"ir_version", graph.info.ir_version},
                                 {"producer", graph.info.producer_name},
                                 {"producer_version", graph.info.producer_version},
                                 {"nodes", deep_node_count(graph)},
                                 {"constants", std::ssize(graph.constants())},
                                 {"constant_bytes", constant_bytes(graph)}};
  Table ports({"<port", "<name", "<type", "<shape"});
  const auto add_port = [&](const char* port, const std::string& port_name, ValueId v) {
    const std::string type(name(graph.dtype(v)));
    ports.add({port, port_name, type, shape_text(graph.shape(v))});
    json[std::string(port) + "s"].push_back(
        {{"name", port_name}, {"type", type}, {"shape", shape_text(graph.shape(v))}});
  };
  for (ValueId v : graph.inputs()) add_port("input", graph.value(v).name, v);
  for (const GraphOutput& out : graph.outputs()) add_port("output", out.name, out.value);
  if (!graph.info.defaulted_inputs.empty()) json["defaulted_inputs"] = graph.info.defaulted_inputs;
  Table ops({"<operator", "nodes"});
  for (const auto& [op, count] : by_count(count_ops(graph))) {
    ops.add({op, count_text(count)});
    json["operators"][op] = count;
  }
  ops.rule();
  ops.add({"all", count_text(deep_node_count(graph))});
  if (o.json) {
    print(json.dump(2) + "\n");
    return;
  }
  print(fmt::format("{}: opset {}, made by {} {}, {} constants of {}\n\n", o.models[0],
                    graph.info.opset,
                    graph.info.producer_name.empty() ? "an unnamed tool" : graph.info.producer_name,
                    graph.info.producer_version, count_text(std::ssize(graph.constants())),
                    bytes_text(constant_bytes(graph))) +
        ports.text() + defaulted_text(graph) + "\n" + ops.text());
}

/// Operators of several models side by side.
void print_models(const Options& o) {
  std::vector<std::string> titles = {"<operator"}, nodes = {"all nodes"}, bytes = {"constants"},
                           opsets = {"opset"};
  std::vector<OpHistogram> counts;
  OpHistogram all;
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const std::string& model : o.models) {
    const Graph graph = import_onnx(model);
    titles.push_back(std::filesystem::path(model).filename().string());
    counts.push_back(count_ops(graph));
    for (const auto& [op, count] : counts.back()) all[op] = std::max(all[op], count);
    nodes.push_back(count_text(deep_node_count(graph)));
    bytes.push_back(bytes_text(constant_bytes(graph)));
    opsets.push_back(std::to_string(graph.info.opset));
    json.push_back({{"file", model},
                    {"opset", graph.info.opset},
                    {"nodes", deep_node_count(graph)},
                    {"constant_bytes", constant_bytes(graph)},
                    {"operators", counts.back()}});
  }
  if (o.json) return print(nlohmann::ordered_json{{"models", json}}.dump(2) + "\n");
  Table table(titles);
  for (const auto& [op, most] : by_count(all)) {
    std::vector<std::string> row = {op};
    for (const OpHistogram& ops : counts)
      row.push_back(ops.count(op) ? count_text(ops.at(op)) : "");
    table.add(row);
  }
  table.rule();
  for (const auto& row : {nodes, bytes, opsets}) table.add(row);
  print(table.text());
}

void run_inspect(const Options& o) {
  if (o.operators) return print_operators(o.json);
  if (o.models.size() > 1) return print_models(o);
  const Graph graph = import_onnx(o.models[0], {.keep_overridable = false});
  if (o.text) return print(to_text(graph, {.max_elements = 8}));
  print_model(graph, o);
}

}  // namespace

std::string defaulted_text(const Graph& graph) {
  const std::vector<std::string>& inputs = graph.info.defaulted_inputs;
  if (inputs.empty()) return "";
  const bool one = inputs.size() == 1;
  return fmt::format(
      "\n{} {} treated as {}: {}\n", inputs.size(),
      one ? "input has a default value and is" : "inputs have default values and are",
      one ? "a constant" : "constants", fmt::join(inputs, ", "));
}

void add_inspect(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("inspect", "show inputs, outputs and operators of models");
  CLI::Option* model =
      command->add_option("model", o->models, "ONNX file; several are shown side by side");
  CLI::Option* operators =
      command->add_flag("--operators", o->operators, "list the operators that sinter knows");
  command->add_flag("--text", o->text, "print the graph, one line a value");
  add_json(*command, o->json);
  command->footer("Example:\n  sinter inspect model.onnx");
  command->callback([=] {
    if (model->count() == 0 && operators->count() == 0) throw CLI::RequiredError("model");
    run_inspect(*o);
  });
}

}  // namespace sinter::cli
