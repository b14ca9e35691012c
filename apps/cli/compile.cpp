// SPDX-License-Identifier: Apache-2.0
// sinter compile: a model and calibration data become a program for encrypted inference.
#include "encrypted/compile.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/config.h"
#include "cli/files.h"
#include "cli/progress_bar.h"
#include "cli/table.h"
#include "cli/tensor_io.h"
#include "cli/verbs.h"
#include "encrypted/serialize.h"
#include "onnx/import.h"

namespace sinter::cli {
namespace {

struct Options {
  std::string model, data, config, output;
  bool explain = false, no_fuse = false, pay_for_affine = false, json = false;
};

nlohmann::ordered_json to_json(const encrypted::Explanation& e) {
  nlohmann::ordered_json json = {{"fused", e.fused},
                                 {"feasible", e.feasible},
                                 {"reason", e.reason},
                                 {"depth", e.depth},
                                 {"depth_unfused", e.depth_unfused},
                                 {"nodes", e.nodes},
                                 {"nodes_unfused", e.nodes_unfused},
                                 {"slots", e.slots},
                                 {"slots_used", e.slots_used},
                                 {"branches_merged", e.patches_merged},
                                 {"log2_qp", e.log2_qp},
                                 {"log2_qp_limit", e.log2_qp_limit},
                                 {"security", e.security},
                                 {"keys", e.key_count},
                                 {"key_bytes", e.key_bytes},
                                 {"diagonals", e.diagonals},
                                 {"hoisted_rotations", e.hoisted_rotations},
                                 {"rotations", e.rotations},
                                 {"relinearisations", e.relinearisations},
                                 {"plaintext_bytes", e.plaintext_bytes},
                                 {"ciphertext_bytes", e.ciphertext_bytes},
                                 {"predicted_seconds", e.seconds},
                                 {"predicted_precision_bits", e.precision_bits},
                                 {"notes", e.notes}};
  json["layers"] = nlohmann::ordered_json::array();
  for (const encrypted::LayerRow& row : e.layers)
    json["layers"].push_back({{"name", row.name},
                              {"op", row.op},
                              {"level_in", row.level_in},
                              {"level_out", row.level_out},
                              {"depth", row.depth},
                              {"method", row.method},
                              {"diagonals", row.diagonals},
                              {"hoisted_rotations", row.hoisted_rotations},
                              {"rotations", row.rotations},
                              {"relinearisations", row.relinearisations},
                              {"plaintext_bytes", row.plaintext_bytes},
                              {"range", row.range},
                              {"predicted_seconds", row.seconds}});
  return json;
}

std::string clipped(std::string text, size_t width) {
  if (text.size() > width) text = "..." + text.substr(text.size() - (width - 3));
  return text;
}

/// The rows to print: all, or for a long plan the first row that leaves each level, which together
/// are one chain from input to output.
std::vector<encrypted::LayerRow> rows_shown(const encrypted::Explanation& e) {
  constexpr i64 kMaxRows = 60;
  if (std::ssize(e.layers) <= kMaxRows) return e.layers;
  std::vector<encrypted::LayerRow> rows;
  for (int level = e.depth; level > 0;) {
    const auto row = std::find_if(e.layers.begin(), e.layers.end(), [&](const auto& r) {
      return r.depth > 0 && r.level_in == level;
    });
    if (row == e.layers.end()) return e.layers;
    rows.push_back(*row);
    level -= row->depth;
  }
  return rows;
}

std::string layers_text(const encrypted::Explanation& e) {
  const bool costed = e.fused;
  const std::vector<encrypted::LayerRow> rows = rows_shown(e);
  std::vector<std::string> titles = {"<layer", "<kind", "level in", "out", "depth"};
  if (costed)
    for (const char* title :
         {"<method", "diagonals", "hoisted", "rotations", "bytes", "range", "time"})
      titles.emplace_back(title);
  Table table(titles);
  const auto add = [&](std::vector<std::string> cells, std::vector<std::string> costs) {
    if (costed) cells.insert(cells.end(), costs.begin(), costs.end());
    table.add(std::move(cells));
  };
  for (const encrypted::LayerRow& row : rows)
    add({clipped(row.name, 44), row.op, std::to_string(row.level_in), std::to_string(row.level_out),
         std::to_string(row.depth)},
        {row.method, count_text(row.diagonals), count_text(row.hoisted_rotations),
         count_text(row.rotations), bytes_text(row.plaintext_bytes),
         fmt::format("{:.3g}", row.range), seconds_text(row.seconds)});
  table.rule();
  add({"all", "", "", "", std::to_string(e.depth)},
      {"", count_text(e.diagonals), count_text(e.hoisted_rotations), count_text(e.rotations),
       bytes_text(e.plaintext_bytes), "", seconds_text(e.seconds)});
  std::string text = table.text();
  if (rows.size() < e.layers.size())
    text += fmt::format("The first layer at each level; --json lists all {}.\n",
                        count_text(std::ssize(e.layers)));
  return text;
}

std::string summary_text(const encrypted::Explanation& e) {
  std::string text;
  if (e.fused && e.depth_unfused >= 0)
    text += fmt::format("levels      {} fused, {} unfused: fusion saves {}\n", e.depth,
                        e.depth_unfused, e.depth_unfused - e.depth);
  else
    text += fmt::format("levels      {} {}\n", e.depth, e.fused ? "fused" : "without fusion");
  if (e.nodes > 0 && e.nodes_unfused > 0)
    text += fmt::format("graph       {} nodes, {} before fusion\n", e.nodes, e.nodes_unfused);
  if (!e.security.empty()) text += fmt::format("security    {}\n", e.security);
  if (e.fused && e.feasible) {
    text += fmt::format("slots       {} of {} used", count_text(e.slots_used), count_text(e.slots));
    if (e.patches_merged > 0)
      text += fmt::format(", {} parallel branches in one ciphertext", e.patches_merged);
    text += fmt::format(
        "\nkeys        {}, {} in memory\nciphertext  {} in memory\npredicted   {} "
        "per image on one core, {:.1f} bits of precision\n",
        count_text(e.key_count), bytes_text(e.key_bytes), bytes_text(e.ciphertext_bytes),
        seconds_text(e.seconds), e.precision_bits);
  }
  for (const std::string& note : e.notes) text += "note        " + note + "\n";
  if (!e.feasible) text += "cannot run  " + e.reason + "\n";
  return text;
}

std::vector<Tensor> read_calibration(const Graph& graph, const Options& o, const Config& config) {
  require(graph.inputs().size() == 1, ErrorKind::unsupported, o.model, ": ", graph.inputs().size(),
          " inputs: encrypted inference takes models with one");
  const ValueId input = graph.inputs()[0];
  std::optional<Shape> shape = graph.shape(input);
  if (shape && !shape->empty()) (*shape)[0] = Dim::symbol("images");
  std::vector<Tensor> data;
  data.push_back(read_input(o.data, graph.value(input).name, DType::f32, shape, config.input));
  return data;
}

void run_compile(const Options& o) {
  require(!o.output.empty() || o.explain || o.no_fuse, ErrorKind::bad_argument,
          "compile: expected -o FILE, or --explain to see the plan only");
  require(o.output.empty() || !o.no_fuse, ErrorKind::bad_argument,
          "compile: --no-fuse shows a plan only: expected no -o");
  if (!o.output.empty()) require_output(o.output, {o.model, o.data, o.config});
  const Graph graph = import_onnx(o.model, {.keep_overridable = false});
  const Config config = o.config.empty() ? Config() : read_config(o.config);
  const std::vector<Tensor> data = read_calibration(graph, o, config);
  encrypted::CompileOptions options;
  options.scheme = config.scheme;
  options.margin = config.margin;
  options.pay_for_affine = config.pay_for_affine || o.pay_for_affine;
  store_scaling(config.input, options.metadata);

  ProgressBar bar("compile");
  encrypted::Explanation explanation;
  i64 program_bytes = 0;
  if (o.output.empty()) {
    explanation = encrypted::explain_only(graph, data, options, !o.no_fuse, bar.callback());
  } else {
    encrypted::Compiled compiled = encrypted::compile(graph, data, options, bar.callback());
    explanation = std::move(compiled.explanation);
    const std::vector<std::byte> bytes = encrypted::save_program(*compiled.program);
    program_bytes = std::ssize(bytes);
    write_file(o.output, bytes);
  }
  if (o.json) {
    nlohmann::ordered_json json = to_json(explanation);
    json["output"] = o.output;
    json["program_bytes"] = program_bytes;
    return print(json.dump(2) + "\n");
  }
  std::string text;
  if (o.explain || o.no_fuse) text += layers_text(explanation) + "\n";
  text += summary_text(explanation);
  if (!o.output.empty())
    text += fmt::format(
        "written     {}, {}\nnext        sinter keygen {} --secret client.key "
        "--eval server.keys\n",
        o.output, bytes_text(program_bytes), o.output);
  print(text);
}

}  // namespace

void add_compile(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("compile", "compile a model for encrypted inference");
  command->add_option("model", o->model, "ONNX file, fused or not: it is fused here")->required();
  command->add_option("--data", o->data, "calibration inputs, .npy [n,...]")->required();
  command->add_option("--config", o->config, "scheme.yaml (docs/cli.md)");
  command->add_option("-o,--output", o->output, "write the program here");
  command->add_flag("--explain", o->explain, "print levels, rotations and bytes of every layer");
  command->add_flag("--no-fuse", o->no_fuse, "show the levels that the unfused graph would need");
  command->add_flag("--pay-for-affine", o->pay_for_affine,
                    "accept a BatchNormalization that could not be fused and costs a level");
  add_json(*command, o->json);
  command->footer(
      "Example:\n  sinter compile model.onnx --data images.npy --config scheme.yaml -o net.sinter "
      "--explain");
  command->callback([=] { run_compile(*o); });
}

}  // namespace sinter::cli
