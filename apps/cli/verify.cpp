// SPDX-License-Identifier: Apache-2.0
// sinter verify: do two models compute the same, as well as float32 can tell?
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/optimize_report.h"
#include "cli/progress_bar.h"
#include "cli/shapes.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "graph/diff.h"
#include "onnx/import.h"

namespace sinter::cli {
namespace {

struct Options {
  std::string first, second;
  std::vector<std::string> shapes;
  i64 samples = 12;
  u64 seed = 1;
  bool diff = false, json = false;
};

std::string diff_text(const GraphDiff& diff) {
  std::string text;
  for (const std::string& item : diff.removed) text += "- " + item + "\n";
  for (const std::string& item : diff.added) text += "+ " + item + "\n";
  for (const std::string& item : diff.changed) text += "~ " + item + "\n";
  return text + (text.empty() ? "The nodes are the same.\n\n" : "\n");
}

void run_verify(const Options& o) {
  Graph a = import_onnx(o.first), b = import_onnx(o.second);
  overwrite_shapes(a, o.shapes);
  overwrite_shapes(b, o.shapes);
  ProgressBar bar("verify");
  i64 done = 0;
  const Evaluator evaluator = [&](const Graph& g, std::span<const Tensor> in, Precision p) {
    bar.update(done++, 3 * o.samples, "evaluations");
    return evaluate(g, in, p);
  };
  const EqualityReport report = compare_graphs(a, b, o.samples, o.seed, evaluator);
  if (o.json) {
    nlohmann::ordered_json json = to_json(report);
    if (o.diff) {
      const GraphDiff diff = difference(a, b);
      json["diff"] = {{"removed", diff.removed}, {"added", diff.added}, {"changed", diff.changed}};
    }
    print(json.dump(2) + "\n");
  } else {
    print((o.diff ? diff_text(difference(a, b)) : "") +
          fmt::format("{} ({} nodes) against {} ({} nodes), {} random inputs, float64 truth:\n{}",
                      o.second, deep_node_count(b), o.first, deep_node_count(a), report.samples,
                      report.text()));
  }
  require(report.accepted, ErrorKind::bad_input, "verify: ", o.second, " differs from ", o.first);
}

}  // namespace

void add_verify(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("verify", "compare what two models compute");
  command->add_option("original", o->first, "ONNX file, the truth")->required();
  command->add_option("changed", o->second, "ONNX file with the same inputs and outputs")
      ->required();
  command->add_option("--samples", o->samples, "random inputs (12 try every kind)")
      ->check(between(4, 1e6))
      ->capture_default_str();
  command->add_option("--seed", o->seed, "seed of these inputs")->capture_default_str();
  command
      ->add_option("--input,--input-shapes", o->shapes,
                   "fix the shape of an input: NAME:1,3,224,224")
      ->expected(1, -1);
  command->add_flag("--diff", o->diff, "list the nodes that went, came or changed, too");
  add_json(*command, o->json);
  command->footer("Example:\n  sinter verify model.onnx fused.onnx --diff");
  command->callback([=] { run_verify(*o); });
}

}  // namespace sinter::cli
