// SPDX-License-Identifier: Apache-2.0
#include "passes/pipeline.h"

#include <algorithm>

#include "base/timer.h"
#include "graph/text.h"
#include "graph/verify.h"

namespace sinter {
namespace {

// Order: clean first, so that "one reader" means one live reader; shapes before constants, so that
// Shape chains are constants when folding looks; fuse_herpn before everything that folds a
// BatchNormalization, because it wants the whole pattern; folding back (into the producer, no
// padding condition) before folding forward; what is left becomes ChannelAffine.
constexpr PassInfo kPasses[] = {
    {"eliminate_dead_nodes", eliminate_dead_nodes, "remove nodes that no output needs",
     Exactness::e0},
    {"simplify_shape_chains", simplify_shape_chains,
     "replace shape arithmetic by constants; Reshape and Expand targets by constants with 0, -1, 1",
     Exactness::e0},
    {"fold_constants", fold_constants, "evaluate nodes whose inputs are all constants",
     Exactness::e0},
    {"eliminate_identity_ops", eliminate_identity_ops,
     "remove nodes whose result is one of their inputs", Exactness::e0},
    {"fuse_herpn", fuse_herpn,
     "turn per-channel quadratics (three-BatchNorm Hermite activations) into ChannelQuadratic",
     Exactness::e1},
    {"eliminate_redundant_transposes", eliminate_redundant_transposes,
     "cancel or compose Transpose of Transpose", Exactness::e0},
    {"merge_reshapes", merge_reshapes,
     "merge Reshape, Flatten, Squeeze and Unsqueeze in a row into one Reshape", Exactness::e0},
    {"fuse_pad_into_conv", fuse_pad_into_conv, "move zero padding into the Conv that reads it",
     Exactness::e0},
    {"fuse_conv_batchnorm", fuse_conv_batchnorm,
     "fold BatchNormalization into the Conv or ConvTranspose before it", Exactness::e1},
    {"fuse_batchnorm_into_gemm", fuse_batchnorm_into_gemm,
     "fold BatchNormalization into the Gemm or 2-D MatMul before it", Exactness::e1},
    {"fuse_matmul_add", fuse_matmul_add, "turn 2-D MatMul and Add into Gemm", Exactness::e2},
    {"fuse_affine_chain", fuse_affine_chain,
     "fold Mul, Add, Sub, Div, Neg by channel constants into linear nodes or one ChannelAffine",
     Exactness::e2},
    {"fuse_batchnorm_forward", fuse_batchnorm_forward,
     "fold BatchNormalization into the Conv, Gemm or MatMul nodes after it", Exactness::e1},
    {"batchnorm_to_affine", batchnorm_to_affine,
     "turn what is left of BatchNormalization into ChannelAffine", Exactness::e1},
    {"eliminate_duplicate_constants", eliminate_duplicate_constants,
     "keep one of constants with equal bytes", Exactness::e0},
    {"eliminate_unused_initializers", eliminate_unused_initializers,
     "remove constants that nothing reads", Exactness::e0},
};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void check_names(const OptimizeOptions& options) {
  std::vector<std::string> unknown, known;
  for (const auto* list : {&options.skip, &options.only})
    for (const std::string& pass : *list)
      if (find_pass(pass) == nullptr) unknown.push_back(pass);
  for (const PassInfo& pass : kPasses) known.emplace_back(pass.name);
  require(unknown.empty(), ErrorKind::bad_argument, "optimize: no pass is called ", joined(unknown),
          "; the passes are ", joined(known));
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void add_difference(OpHistogram& removed, const OpHistogram& before, const OpHistogram& after) {
  for (const auto& [op, count] : before) removed[op] += count;
  for (const auto& [op, count] : after) removed[op] -= count;
  std::erase_if(removed, [](const auto& entry) { return entry.second == 0; });
}

void infer_and_verify(Graph& graph, std::string_view pass, bool infer, bool verify_after) {
  try {
    if (infer) graph.infer_all();
    if (verify_after) verify(graph);
  } catch (const Error& error) {
    fail(ErrorKind::internal, "pass ", pass, " broke the graph: ", error.what());
  }
}

}  // namespace

std::string_view name(Exactness exactness) {
  constexpr std::string_view kNames[] = {"E0", "E1", "E2"};
  return kNames[size_t(exactness)];
}

std::span<const PassInfo> all_passes() { return kPasses; }

const PassInfo* find_pass(std::string_view name) {
  for (const PassInfo& pass : kPasses)
    if (pass.name == name) return &pass;
  return nullptr;
}

PassStats run_pass(Graph& graph, const PassInfo& pass, bool verify_after) {
  PassStats stats = pass.run(graph);
  infer_and_verify(graph, pass.name, stats.changed > 0, verify_after);
  return stats;
}

OpHistogram count_ops(const Graph& graph) {
  const auto counts = op_histogram(graph);
  return {counts.begin(), counts.end()};
}

OptimizeReport optimize(Graph& graph, const OptimizeOptions& options) {
  check_names(options);
  if (options.verify_each) verify(graph);
  OptimizeReport report;
  report.nodes_before = graph.node_count();
  report.constant_bytes_before = constant_bytes(graph);
  report.ops_before = count_ops(graph);

  std::vector<const PassInfo*> passes;
  for (const PassInfo& pass : kPasses) {
    const bool wanted = options.only.empty() || contains(options.only, pass.name);
    if (!wanted || contains(options.skip, pass.name)) continue;
    passes.push_back(&pass);
    report.passes.emplace_back().name = pass.name;
    report.passes.back().exactness = pass.exactness;
  }

  OpHistogram before = report.ops_before;
  for (bool changed = true; changed;) {
    changed = false;
    require(report.rounds < options.max_rounds, ErrorKind::internal,
            "optimize: passes still change"
            " the graph after ",
            report.rounds, " rounds");
    ++report.rounds;
    for (size_t i = 0; i < passes.size(); ++i) {
      PassReport& row = report.passes[i];
      if (options.progress) options.progress(row.name, report.rounds);
      const Timer pass_timer;
      PassStats stats = passes[i]->run(graph);
      const double ms = pass_timer.wall_s() * 1e3;
      const Timer verify_timer;
      infer_and_verify(graph, row.name, stats.changed > 0, options.verify_each);
      report.verify_ms += verify_timer.wall_s() * 1e3;
      report.ms += ms;
      row.ms += ms;
      row.changed += stats.changed;
      row.skipped = std::move(stats.skipped);
      if (report.rounds == 1) row.nodes_after = graph.node_count();
      if (stats.changed > 0) {
        changed = true;
        OpHistogram after = count_ops(graph);
        add_difference(row.removed, before, after);
        before = std::move(after);
      }
    }
  }
  report.nodes_after = graph.node_count();
  report.constant_bytes_after = constant_bytes(graph);
  report.ops_after = count_ops(graph);
  return report;
}

}  // namespace sinter
