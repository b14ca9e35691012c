// SPDX-License-Identifier: Apache-2.0
// sinter compile: a model and calibration data become a program for encrypted inference.
#include "encrypted/compile.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/byte_size.h"
#include "cli/config.h"
#include "cli/files.h"
#include "cli/plan_table.h"
#include "cli/progress_bar.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/tensor_io.h"
#include "cli/units_file.h"
#include "cli/verbs.h"
#include "encrypted/serialize.h"
#include "onnx/import.h"

namespace sinter::cli {

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
                                 {"inputs", e.inputs},
                                 {"batch", e.batch},
                                 {"log2_qp", e.log2_qp},
                                 {"log2_qp_limit", e.log2_qp_limit},
                                 {"security", e.security},
                                 {"bootstraps", e.bootstraps},
                                 {"bootstrap_chain", e.bootstrap_text},
                                 {"keys", e.key_count},
                                 {"key_bytes", e.key_bytes},
                                 {"diagonals", e.diagonals},
                                 {"hoisted_rotations", e.hoisted_rotations},
                                 {"rotations", e.rotations},
                                 {"relinearisations", e.relinearisations},
                                 {"plaintext_bytes", e.plaintext_bytes},
                                 {"ciphertext_bytes", e.ciphertext_bytes},
                                 {"predicted_seconds", e.seconds},
                                 {"predicted_seconds_two_threads", e.seconds_two},
                                 {"predicted_first_run_extra_seconds", e.first_seconds},
                                 {"units", e.units},
                                 {"predicted_precision_bits", e.precision_bits},
                                 {"notes", e.notes}};
  if (!e.candidates.empty()) json["candidates"] = plan_json(e.candidates);
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
                              {"value", row.value},
                              {"difference", row.difference},
                              {"predicted_seconds", row.seconds}});
  json["merges"] = nlohmann::ordered_json::array();
  for (const encrypted::MergeRecord& merge : e.merges)
    json["merges"].push_back({{"rule", merge.rule},
                              {"count", merge.count},
                              {"names", merge.names},
                              {"levels_saved", merge.levels_saved}});
  return json;
}

namespace {

struct Options {
  std::string model, data, config, output, bootstrap, units, html, packing, batch;
  bool explain = false, no_fuse = false, plan = false, pay_for_affine = false, json = false;
  double key_weight = encrypted::KeyChoice{}.seconds_per_gigabyte;
  bool horner = false;
  i64 memory = 0;
  double bits = encrypted::CompileOptions().least_bits;
};

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

/// What saved the levels, rule by rule; what merged without saving one in a line below.
std::string merges_text(const encrypted::Explanation& e) {
  if (e.merges.empty()) return {};
  Table table({"<merged by", "times", "levels saved"});
  std::string others;
  i64 count = 0;
  for (const encrypted::MergeRecord& rule : encrypted::by_rule(e.merges)) {
    if (rule.levels_saved == 0) {
      others += fmt::format("{}{} {}", others.empty() ? "" : ", ", rule.rule, rule.count);
      continue;
    }
    count += rule.count;
    table.add({rule.rule, count_text(rule.count), std::to_string(rule.levels_saved)});
  }
  table.rule();
  table.add({"all", count_text(count), std::to_string(encrypted::levels_saved(e.merges))});
  return table.text() + (others.empty() ? "" : "no level saved by: " + others + "\n") + "\n";
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
  if (e.bootstraps > 0) text += fmt::format("bootstraps  {}: {}\n", e.bootstraps, e.bootstrap_text);
  if (!e.security.empty()) text += fmt::format("security    {}\n", e.security);
  if (e.fused && e.feasible) {
    text += fmt::format("slots       {} of {} used", count_text(e.slots_used), count_text(e.slots));
    if (e.patches_merged > 0)
      text += fmt::format(", {} parallel branches in one ciphertext", e.patches_merged);
    const std::string inputs =
        e.inputs == 1 ? "ciphertext  " : fmt::format("inputs      {} ciphertexts, ", e.inputs);
    const std::string images = e.batch == 1 ? "image" : fmt::format("run of {} images", e.batch);
    text += fmt::format(
        "\nkeys        {}, {} in memory\n{}{} in memory\npredicted   {} "
        "per {} on one core, {} on two, {:.1f} bits of precision\n"
        "            the first image + {}: its keys are read for the first time, here from the\n"
        "            system's cache of the file; from a disk it takes longer\n"
        "units       {}\n",
        count_text(e.key_count), bytes_text(e.key_bytes), inputs, bytes_text(e.ciphertext_bytes),
        seconds_text(e.seconds), images, seconds_text(e.seconds_two), e.precision_bits,
        seconds_text(e.first_seconds), e.units);
  }
  for (const std::string& note : e.notes) text += "note        " + printable(note) + "\n";
  if (!e.feasible) text += "cannot run  " + printable(e.reason) + "\n";
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
  require(!o.output.empty() || !o.html.empty() || o.explain || o.no_fuse || o.plan,
          ErrorKind::bad_argument,
          "compile: expected -o FILE, or --explain or --plan to see the plan only");
  require((o.output.empty() && o.html.empty()) || !o.no_fuse, ErrorKind::bad_argument,
          "compile: --no-fuse shows a plan only: expected no -o and no --html");
  if (!o.output.empty()) require_output(o.output, {o.model, o.data, o.config, o.units});
  if (!o.html.empty()) require_output(o.html, {o.model, o.data, o.config, o.units, o.output});
  const Graph graph = import_onnx(o.model, {.keep_overridable = false});
  const Config config = o.config.empty() ? Config() : read_config(o.config);
  const std::vector<Tensor> data = read_calibration(graph, o, config);
  encrypted::CompileOptions options;
  options.scheme = config.scheme;
  options.open = config.open;
  options.lists_all = o.plan;
  options.memory_budget = o.memory;
  options.least_bits = o.bits;
  options.units = units_for(o.units);
  options.margin = config.margin;
  options.keys = {o.key_weight, o.horner};
  options.pay_for_affine = config.pay_for_affine || o.pay_for_affine;
  options.bootstrap = o.bootstrap.empty() ? config.bootstrap : bootstrap_choice(o.bootstrap);
  options.packing = config.packing;
  if (!o.packing.empty()) parse_packing(o.packing, options.packing);
  require(o.batch.empty() || parse_batch(o.batch, options.packing), ErrorKind::bad_argument,
          "compile: --batch: expected auto or a power of two, found ", o.batch);
  store_scaling(config.input, options.metadata);

  ProgressBar bar("compile");
  encrypted::Explanation explanation;
  nlohmann::ordered_json report;
  i64 program_bytes = 0;
  if (o.output.empty() && o.html.empty()) {
    explanation = encrypted::explain_only(graph, data, options, !o.no_fuse, bar.callback());
  } else {
    encrypted::Compiled compiled = encrypted::compile(graph, data, options, bar.callback());
    explanation = std::move(compiled.explanation);
    report = plan_report(*compiled.program, explanation, o.model);
    if (!o.output.empty()) {
      const std::vector<std::byte> bytes = encrypted::save_program(*compiled.program);
      program_bytes = std::ssize(bytes);
      write_file(o.output, bytes);
    }
    write_report(report, "", o.html);
  }
  if (o.json) {
    nlohmann::ordered_json json = report.is_null() ? to_json(explanation) : report;
    json["output"] = o.output;
    json["program_bytes"] = program_bytes;
    return print(report_text(json));
  }
  std::string text;
  if (o.plan) text += plan_text(explanation.candidates) + "\n";
  if (o.explain || o.no_fuse) text += layers_text(explanation) + "\n" + merges_text(explanation);
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
  command->add_option("--html", o->html, "write the plan as a page to look at here, one file");
  command->add_flag("--explain", o->explain, "print levels, rotations and bytes of every layer");
  command->add_flag("--no-fuse", o->no_fuse, "show the levels that the unfused graph would need");
  command->add_flag("--plan", o->plan, "list the plans there are, with what they cost");
  add_byte_size(*command, "--memory", o->memory, "memory that infer may take, e.g. 16G");
  command->add_option("--bits", o->bits, "least precision of the result, for the choice")
      ->check(between(1, 60))
      ->capture_default_str();
  command->add_option("--units", o->units,
                      "speed of the machine that will run it: a file of `sinter calibrate`, or "
                      "avx2, avx512ifma, scalar; left out: this machine");
  command
      ->add_option("--key-weight", o->key_weight,
                   "seconds of one image that a gigabyte less of keys may cost (default 1)")
      ->check(at_least(0));
  command->add_flag("--horner", o->horner,
                    "let a linear map sum its giant steps one after the other under one key");
  command->add_flag("--pay-for-affine", o->pay_for_affine,
                    "accept a BatchNormalization that could not be fused and costs a level");
  command
      ->add_option("--bootstrap", o->bootstrap,
                   "none, auto (only when the levels do not fit), fast or precise")
      ->check(CLI::IsMember({"none", "auto", "fast", "precise"}));
  command
      ->add_option("--packing", o->packing,
                   "packed: equal branches share ciphertexts (default); separate: each has its own")
      ->check(CLI::IsMember({"packed", "separate"}));
  command->add_option("--batch", o->batch,
                      "images that share the ciphertexts of a run: a power of two, or auto");
  add_json(*command, o->json);
  command->footer(
      "Example:\n  sinter compile model.onnx --data images.npy --config scheme.yaml -o net.sinter "
      "--explain");
  command->callback([=] { run_compile(*o); });
}

}  // namespace sinter::cli
