// SPDX-License-Identifier: Apache-2.0
// sinter optimize: fuses a model, shows what changed, checks that it still computes the same.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/timer.h"
#include "cli/files.h"
#include "cli/progress_bar.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "onnx/export.h"
#include "onnx/import.h"
#include "passes/check_equal.h"
#include "passes/pipeline.h"

namespace sinter::cli {
namespace {

struct Options {
  std::string model, output, report;
  std::vector<std::string> skip, only;
  i64 verify = 0;
  u64 seed = 1;
  bool list = false, explain = false, json = false, expand = false;
};

void print_passes(bool json) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  Table table({"<pass", "<exact", "<what it does"});
  for (const PassInfo& pass : all_passes()) {
    table.add({std::string(pass.name), std::string(name(pass.exactness)), std::string(pass.doc)});
    all.push_back({{"name", pass.name}, {"exactness", name(pass.exactness)}, {"doc", pass.doc}});
  }
  if (json) return print(nlohmann::ordered_json{{"passes", all}}.dump(2) + "\n");
  print(table.text() +
        "\nIn running order, repeated until nothing changes. E0: the same bits. E1: constants are "
        "rounded\nagain. E2: sums are taken in another order.\n");
}

nlohmann::ordered_json to_json(const OptimizeReport& report) {
  nlohmann::ordered_json json = {{"rounds", report.rounds},
                                 {"nodes_before", report.nodes_before},
                                 {"nodes_after", report.nodes_after},
                                 {"constant_bytes_before", report.constant_bytes_before},
                                 {"constant_bytes_after", report.constant_bytes_after},
                                 {"operators_before", report.ops_before},
                                 {"operators_after", report.ops_after},
                                 {"pass_ms", report.ms},
                                 {"verify_ms", report.verify_ms}};
  json["passes"] = nlohmann::ordered_json::array();
  for (const PassReport& pass : report.passes) {
    nlohmann::ordered_json row = {{"name", pass.name},       {"exactness", name(pass.exactness)},
                                  {"changed", pass.changed}, {"ms", pass.ms},
                                  {"removed", pass.removed}, {"skipped", nlohmann::json::array()}};
    for (const Skip& skip : pass.skipped)
      row["skipped"].push_back({{"where", skip.where}, {"reason", skip.reason}});
    json["passes"].push_back(std::move(row));
  }
  return json;
}

nlohmann::ordered_json to_json(const EqualityReport& report) {
  nlohmann::ordered_json json = {{"accepted", report.accepted}, {"samples", report.samples}};
  for (const OutputEquality& out : report.outputs)
    json["outputs"].push_back({{"name", out.name},
                               {"accepted", out.accepted},
                               {"reason", out.reason},
                               {"error_before", out.e0},
                               {"error_after", out.e1},
                               {"bound", out.bound},
                               {"largest", out.largest}});
  return json;
}

std::string operators_text(const OptimizeReport& report) {
  OpHistogram all = report.ops_before;
  for (const auto& [op, count] : report.ops_after) all.try_emplace(op, 0);
  std::vector<std::pair<i64, std::string>> order;
  const auto count_of = [](const OpHistogram& ops, const std::string& op) {
    const auto it = ops.find(op);
    return it == ops.end() ? i64(0) : it->second;
  };
  for (const auto& [op, count] : all) order.emplace_back(-count_of(report.ops_before, op), op);
  std::sort(order.begin(), order.end());
  Table table({"<operator", "before", "after"});
  for (const auto& [minus, op] : order)
    table.add({op, count_text(-minus), count_text(count_of(report.ops_after, op))});
  table.rule();
  table.add({"all nodes", count_text(report.nodes_before), count_text(report.nodes_after)});
  table.add({"constants", bytes_text(report.constant_bytes_before),
             bytes_text(report.constant_bytes_after)});
  return table.text();
}

std::string passes_text(const OptimizeReport& report) {
  Table table({"<pass", "<exact", "changed", "left alone", "time", "<nodes removed"});
  for (const PassReport& pass : report.passes) {
    std::string removed;
    for (const auto& [op, count] : pass.removed) {
      if (count == 0) continue;
      if (removed.size() > 60) {
        removed += ", ...";
        break;
      }
      removed += fmt::format("{}{} {}", removed.empty() ? "" : ", ",
                             count > 0 ? std::to_string(count) : fmt::format("+{}", -count), op);
    }
    table.add({pass.name, std::string(name(pass.exactness)), count_text(pass.changed),
               count_text(std::ssize(pass.skipped)), seconds_text(pass.ms / 1e3), removed});
  }
  table.rule();
  table.add({fmt::format("{} rounds", report.rounds), "", "", "", seconds_text(report.ms / 1e3),
             fmt::format("checks between passes: {}", seconds_text(report.verify_ms / 1e3))});
  return table.text();
}

std::string skips_text(const OptimizeReport& report) {
  Table table({"<pass", "<left alone", "<because"});
  for (const PassReport& pass : report.passes)
    for (const Skip& skip : pass.skipped) table.add({pass.name, skip.where, skip.reason});
  return table.empty() ? "Nothing was left alone.\n" : table.text();
}

void write_report(const std::string& path, const nlohmann::ordered_json& json) {
  const std::string text = json.dump(2) + "\n";
  write_file(path, std::as_bytes(std::span(text)));
}

/// The graph that a reader of the written file gets. A model whose constants go to a data file is
/// taken as it is: a copy of it might not fit into memory.
Graph as_written(const Graph& graph, const ExportOptions& options) {
  if (constant_bytes(graph) > options.external_threshold) return graph.clone();
  const auto bytes = std::make_shared<const std::vector<std::byte>>(export_onnx(graph, options));
  try {
    return import_onnx(*bytes, bytes, "the optimized model");
  } catch (const Error& e) {
    fail(ErrorKind::internal, "optimize: the written form cannot be read back: ", e.what());
  }
}

void run_optimize(const Options& o) {
  if (!o.output.empty()) require_output(o.output, {o.model});
  if (!o.report.empty()) require_output(o.report, {o.model, o.output});
  const Graph original = import_onnx(o.model);
  Graph graph = original.clone();
  OptimizeOptions options;
  options.skip = o.skip;
  options.only = o.only;
  const OptimizeReport report = optimize(graph, options);
  nlohmann::ordered_json json = to_json(report);
  json["model"] = o.model;
  json["defaulted_inputs"] = graph.info.defaulted_inputs;
  EqualityReport equality;
  if (o.verify > 0) {
    ProgressBar bar("verify");
    i64 done = 0;
    const Evaluator evaluator = [&](const Graph& g, std::span<const Tensor> in, Precision p) {
      bar.update(done++, 3 * o.verify, "evaluations");
      return evaluate(g, in, p);
    };
    const ExportOptions form = {.expand_functions = o.expand};
    equality = o.output.empty()
                   ? compare_graphs(original, graph, o.verify, o.seed, evaluator)
                   : compare_graphs(original, as_written(graph, form), o.verify, o.seed, evaluator);
    json["verification"] = to_json(equality);
    if (!o.report.empty() && !equality.accepted) write_report(o.report, json);
    require(equality.accepted, ErrorKind::internal,
            "optimize: the optimized model differs from the original: ", equality.text());
  }
  if (!o.output.empty()) export_onnx(graph, o.output, {.expand_functions = o.expand});
  if (!o.report.empty()) write_report(o.report, json);
  if (o.json) return print(json.dump(2) + "\n");
  std::string text = operators_text(report) + "\n" + passes_text(report);
  if (o.explain) text += "\n" + skips_text(report);
  text += defaulted_text(graph);
  if (o.verify > 0)
    text += fmt::format("\nverified on {} random inputs against float64:\n{}", equality.samples,
                        equality.text());
  if (!o.output.empty()) text += fmt::format("\nwritten to {}\n", o.output);
  print(text);
}

}  // namespace

void add_optimize(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("optimize", "fuse a model");
  CLI::Option* model = command->add_option("model", o->model, "ONNX file");
  command->add_option("-o,--output", o->output, "write the fused model here");
  CLI::Option* list = command->add_flag("--list", o->list, "list the passes");
  command->add_option("--skip", o->skip, "passes not to run: PASS,PASS")->delimiter(',');
  command->add_option("--only", o->only, "the only passes to run: PASS,PASS")->delimiter(',');
  command
      ->add_option("--verify", o->verify,
                   "compare with the original on this many random inputs (12 try every kind)")
      ->check(CLI::Range(4, 1000000));
  command->add_option("--seed", o->seed, "seed of these inputs")->capture_default_str();
  command->add_option("--report", o->report, "write everything as JSON here");
  command->add_flag("--explain", o->explain, "say what was left alone and why");
  command->add_flag("--expand-functions", o->expand,
                    "write fused activations as plain Mul and Add nodes");
  add_json(*command, o->json);
  command->footer("Example:\n  sinter optimize model.onnx -o fused.onnx --verify 12 --explain");
  command->callback([=] {
    if (list->count() > 0) return print_passes(o->json);
    if (model->count() == 0) throw CLI::RequiredError("model");
    run_optimize(*o);
  });
}

}  // namespace sinter::cli
