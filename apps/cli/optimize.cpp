// SPDX-License-Identifier: Apache-2.0
// sinter optimize: fuses a model, shows what changed, checks that it still computes the same. Flags
// that onnxsim, OnnxSlim and onnxoptimizer have are accepted under their names.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/timer.h"
#include "cli/bisection.h"
#include "cli/files.h"
#include "cli/optimize_report.h"
#include "cli/progress_bar.h"
#include "cli/shapes.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "graph/diff.h"
#include "onnx/export.h"
#include "onnx/import.h"

namespace sinter::cli {
namespace {

struct Options {
  std::string model, output, second, report, html, certificate, profile = "standard";
  std::vector<std::string> skip, only, shapes;
  i64 verify = 0, max_opset = 0, fold_budget = 64 * 1024;
  u64 seed = 1;
  double max_growth = 0.01;
  bool list = false, explain = false, json = false, expand = false, inspect = false, diff = false,
       strict_zero = false, allow_empty = false, approx_ties = false, external = false,
       model_check = false, no_folding = false, no_rewrite_checks = false;
};

const std::map<std::string, Profile> kProfiles = {{"standard", Profile::standard},
                                                  {"modern", Profile::modern},
                                                  {"ort", Profile::ort},
                                                  {"int8", Profile::int8},
                                                  {"fhe", Profile::fhe}};

/// What peers call passes and groups of passes.
const std::map<std::string, std::vector<std::string>> kPeerNames = {
    {"fuse_bn_into_conv", {"fuse_conv_batchnorm"}},
    {"fuse_pad_into_conv", {"fuse_pad_into_conv"}},
    {"eliminate_identity", {"eliminate_identity_ops"}},
    {"eliminate_deadend", {"eliminate_dead_nodes"}},
    {"eliminate_duplicate_initializer", {"eliminate_duplicate_constants"}},
    {"eliminate_unused_initializer", {"eliminate_unused_initializers"}},
    {"fuse_matmul_add_bias_into_gemm", {"fuse_matmul_add"}},
    {"constant_folding", {"fold_constants"}},
    {"dead_node_elimination", {"eliminate_dead_nodes"}},
    {"weight_tying", {"eliminate_duplicate_constants"}}};

std::vector<std::string> own_names(const std::vector<std::string>& names) {
  std::vector<std::string> own;
  for (const std::string& given : names) {
    const auto peer = kPeerNames.find(given);
    if (peer == kPeerNames.end())
      own.push_back(given);
    else
      own.insert(own.end(), peer->second.begin(), peer->second.end());
  }
  return own;
}

void write_text(const std::string& path, const std::string& text) {
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

OptimizeOptions pass_options(const Options& o) {
  OptimizeOptions options;
  PassOptions& rules = options.rules;
  rules.profile = kProfiles.at(o.profile);
  rules.max_opset = o.max_opset;
  rules.strict_zero = o.strict_zero;
  rules.assume_nonempty = !o.allow_empty;
  rules.approx_ties = o.approx_ties;
  rules.fold_budget = o.fold_budget;
  rules.max_growth = o.max_growth;
  options.skip = own_names(o.skip);
  if (o.no_folding) options.skip.push_back("fold_constants");
  options.only = own_names(o.only);
  options.check_rewrites = !o.no_rewrite_checks;
  return options;
}

EqualityReport compare(const Options& o, const Graph& original, const Graph& graph, i64 samples) {
  ProgressBar bar("verify");
  i64 done = 0;
  const Evaluator evaluator = [&](const Graph& g, std::span<const Tensor> in, Precision p) {
    bar.update(done++, 3 * samples, "evaluations");
    return evaluate(g, in, p);
  };
  const ExportOptions form = {.expand_functions = o.expand};
  return compare_graphs(original, o.output.empty() ? graph : as_written(graph, form), samples,
                        o.seed, evaluator);
}

std::string lines(std::string_view sign, const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += fmt::format("{} {}\n", sign, item);
  return text;
}

std::string diff_text(const GraphDiff& diff) {
  if (diff.empty()) return "The nodes are the same.\n";
  return lines("-", diff.removed) + lines("+", diff.added) + lines("~", diff.changed);
}

void write_reports(const Options& o, const OptimizeRun& run) {
  if (!o.report.empty()) write_text(o.report, to_json(run).dump(2) + "\n");
  if (!o.html.empty()) write_text(o.html, to_html(run));
}

std::string summary(const Options& o, const OptimizeRun& run, const Graph& graph) {
  const OptimizeReport& report = run.report;
  std::string text = operators_text(report);
  if (o.inspect) return text;
  text += "\n" + passes_text(report) + failures_text(report);
  if (o.explain) text += "\n" + skips_text(report);
  for (const auto& [assumption, count] : report.assumptions)
    text += fmt::format("{} rewrites assume: {}\n", count, assumption);
  text += defaulted_text(graph);
  if (run.equality.samples > 0)
    text += fmt::format("\nverified on {} random inputs against float64, {}:\n{}",
                        run.equality.samples, seconds_text(run.equality_s), run.equality.text());
  if (!o.output.empty())
    text += fmt::format("\nwritten to {} ({} -> {}, opset {})\n", o.output,
                        bytes_text(run.file_bytes_before), bytes_text(run.file_bytes_after),
                        run.opset_after);
  return text;
}

i64 file_bytes(const std::string& path) {
  std::error_code error;
  i64 bytes = i64(std::filesystem::file_size(path, error));
  const auto data = std::filesystem::file_size(path + ".data", error);
  return error ? bytes : bytes + i64(data);
}

void check_outputs(const Options& o) {
  if (!o.output.empty()) require_output(o.output, {o.model});
  if (!o.report.empty()) require_output(o.report, {o.model, o.output});
  if (!o.html.empty()) require_output(o.html, {o.model, o.output, o.report});
  if (!o.certificate.empty()) require_output(o.certificate, {o.model, o.output, o.report, o.html});
}

/// Says which rewrite it was; the models around it go beside the output, or beside the report.
[[noreturn]] void refuse(const Options& o, const OptimizeRun& run, const Graph& original) {
  write_reports(o, run);
  BlameFiles files = {o.output, o.model, {.expand_functions = o.expand}};
  if (o.output.empty() && !o.report.empty())
    files.base =
        std::filesystem::path(o.report).replace_filename(std::filesystem::path(o.model).filename());
  const auto accepts = [&](const Graph& graph) {
    return compare(o, original, graph, run.equality.samples).accepted;
  };
  const std::string culprit =
      blame(original, pass_options(o), std::ssize(run.report.rewrites), accepts, files);
  fail(ErrorKind::internal, "optimize: the optimized model differs from the original", culprit,
       ": ", run.equality.text());
}

void run_optimize(Options o) {
  if (o.output.empty()) o.output = o.second;
  require(o.second.empty() || o.second == o.output, ErrorKind::bad_argument,
          "optimize: two outputs are given, ", o.second, " and ", o.output);
  check_outputs(o);
  OptimizeRun run;
  if (!o.certificate.empty()) run.model_sha256 = file_sha256(o.model);
  Graph original = import_onnx(o.model);
  overwrite_shapes(original, o.shapes);
  Graph graph = original.clone();
  run.seed = o.seed;
  run.model = o.model;
  run.output = o.output;
  run.profile = o.profile;
  run.opset_before = original.info.opset;
  run.file_bytes_before = file_bytes(o.model);
  run.defaulted_inputs = graph.info.defaulted_inputs;
  run.report = optimize(graph, pass_options(o));
  run.opset_after = export_opset(graph);
  const i64 samples = o.verify > 0 ? o.verify : o.model_check ? 4 : 0;
  if (samples > 0) {
    const Timer timer;
    run.equality = compare(o, original, graph, samples);
    run.equality_s = timer.wall_s();
    if (!run.equality.accepted) refuse(o, run, original);
  }
  if (!o.output.empty()) {
    ExportOptions form = {.expand_functions = o.expand};
    if (o.external) form.external_threshold = 0;
    export_onnx(graph, o.output, form);
    run.file_bytes_after = file_bytes(o.output);
  }
  write_reports(o, run);
  if (!o.certificate.empty())
    write_text(o.certificate, certificate_json(run, original, graph).dump(2) + "\n");
  if (o.json) return print(to_json(run).dump(2) + "\n");
  print(o.diff ? diff_text(difference(original, graph)) : summary(o, run, graph));
}

void add_rule_options(CLI::App& command, Options& o) {
  std::vector<std::string> profiles;
  for (const auto& [profile, value] : kProfiles) profiles.push_back(profile);
  command.add_option("--profile", o.profile, "what the model is for")
      ->check(CLI::IsMember(profiles))
      ->capture_default_str();
  command
      .add_option(
          "--skip,--disable,--skip-optimization,--skip-optimizations,--skip-fusion-patterns",
          o.skip, "passes or rules not to run: NAME,NAME")
      ->delimiter(',');
  command.add_option("--only,--passes", o.only, "the only passes to run: NAME,NAME")
      ->delimiter(',');
  command.add_option("--max-opset,--target-opset", o.max_opset,
                     "the newest opset that a rewrite may need (the model's own)");
  command.add_option("--max-growth", o.max_growth, "how much constants may grow, beside 1 MiB")
      ->capture_default_str();
  command
      .add_option("--fold-budget,--size-threshold,--no-large-tensor", o.fold_budget,
                  "bytes that a folded constant may add")
      ->capture_default_str();
  command.add_flag("--skip-constant-folding", o.no_folding, "do not fold constants");
  command.add_flag("--strict-zero", o.strict_zero, "keep x + 0, which turns -0 into 0");
  command.add_flag("--allow-empty", o.allow_empty, "symbolic dimensions may be 0");
  command.add_flag("--approx-ties", o.approx_ties, "ArgMax may pick another of equal elements");
  command
      .add_option("--input,--input-shapes,--overwrite-input-shape", o.shapes,
                  "fix the shape of an input: NAME:1,3,224,224")
      ->expected(1, -1);
}

void add_check_options(CLI::App& command, Options& o) {
  command
      .add_option("--verify,--check", o.verify,
                  "compare with the original on this many random inputs (12 try every kind)")
      ->check(between(4, 1e6));
  command.add_flag("--model-check", o.model_check, "the same with 4 inputs");
  command.add_option("--seed", o.seed, "seed of these inputs")->capture_default_str();
  command.add_flag("--no-rewrite-checks", o.no_rewrite_checks,
                   "do not compare each rewrite on small random inputs");
}

}  // namespace

void add_optimize(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("optimize", "fuse a model");
  CLI::Option* model = command->add_option("model", o->model, "ONNX file");
  command->add_option("result", o->second, "write the fused model here, the same as -o");
  command->add_option("-o,--output", o->output, "write the fused model here");
  CLI::Option* list = command->add_flag("--list", o->list, "list the passes");
  add_rule_options(*command, *o);
  add_check_options(*command, *o);
  command->add_option("--report", o->report, "write everything as JSON here");
  command->add_option("--certificate", o->certificate,
                      "write here as JSON: digests, rules, assumptions, errors of the outputs");
  command->add_option("--html", o->html, "write a report to look at here, one file");
  command->add_flag("--inspect", o->inspect, "only the table of operators before and after");
  command->add_flag("--diff", o->diff, "only the nodes that went, came or changed");
  command->add_flag("--explain", o->explain, "say what was left alone and why");
  command->add_flag("--expand-functions", o->expand,
                    "write fused activations as plain Mul and Add nodes");
  command->add_flag("--save-as-external-data", o->external, "write constants to RESULT.data");
  add_json(*command, o->json);
  command->footer(
      "Example:\n  sinter optimize model.onnx -o fused.onnx --verify 12 --html report.html");
  command->callback([=] {
    if (list->count() > 0) return print(pass_list(o->json));
    if (model->count() == 0) throw CLI::RequiredError("model");
    run_optimize(*o);
  });
}

}  // namespace sinter::cli
