// SPDX-License-Identifier: Apache-2.0
#include "encrypted/compile.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <optional>
#include <thread>

#include "encrypted/assemble.h"
#include "encrypted/check.h"
#include "encrypted/choose_plan.h"
#include "encrypted/client.h"
#include "encrypted/detail/explain_program.h"
#include "encrypted/graph_levels.h"
#include "encrypted/lower.h"
#include "encrypted/precision.h"
#include "encrypted/serialize.h"
#include "encrypted/simulate.h"

namespace sinter::encrypted {
namespace {

/// The program on doubles against the stages on doubles: they do the same sums in another order.
constexpr double kSimulationAgreement = 1e-6;
constexpr double kSmallestPlainScale = 0x1p15;  ///< weights below it would keep few bits
constexpr double kSmallestPrecision = 8;        ///< bits of the result
constexpr i64 kMostThreads = 16;

i64 slots_of(const SchemeOptions& scheme) {
  require(scheme.log_n >= 4 && scheme.log_n <= 17, ErrorKind::bad_argument,
          "compile: expected log_n from 4 to 17, found ", scheme.log_n);
  return i64(1) << (scheme.log_n - 1);
}

void check_options(const CompileOptions& options) {
  slots_of(options.scheme);
  require(std::isfinite(options.margin) && options.margin >= 1, ErrorKind::bad_argument,
          "compile: expected a margin of at least 1, found ", options.margin);
  const i64 batch = options.packing.batch;
  require(batch >= 0 && (batch & (batch - 1)) == 0, ErrorKind::bad_argument,
          "compile: expected a batch of 1, 2, 4, ... images, or 0 for as many as fit, found ",
          batch);
}

/// Every value, widened by the margin, below half the modulus of its level.
void check_headroom(const EncryptedProgram& program, double margin) {
  std::vector<i32> result(program.layers.size(), -1);
  for (size_t k = 0; k < program.instructions.size(); ++k)
    result[size_t(program.instructions[k].layer)] = i32(k);
  for (size_t l = 0; l < result.size(); ++l) {
    const Instruction& i = program.instructions[size_t(result[l])];
    const double room = program.params.log2_q(i.level) - 1 - std::log2(i.scale);
    const double wanted = std::log2(std::max(1e-300, program.layers[l].range * margin));
    require(wanted <= room, ErrorKind::bad_argument, "compile: ", program.layers[l].op, " \"",
            program.layers[l].name, "\" reaches ", program.layers[l].range, ", times the margin ",
            margin, ", at level ", i.level, ", where the modulus leaves room for ", std::exp2(room),
            "; a larger log_q0 or a smaller log_scale would help");
  }
}

/// The encoder keeps two bits free: every plaintext, scaled, must fit below them.
void check_plaintexts(const EncryptedProgram& program) {
  for (const Instruction& i : program.instructions) {
    if (i.op != Opcode::linear && i.op != Opcode::add_vector) continue;
    double value = 0, scale = i.plain_scale;
    if (i.op == Opcode::add_vector) {
      value = program.vectors[size_t(i.table)].largest();
      scale = i.scale;
    } else {
      for (const SlotVector& row : program.maps[size_t(i.table)].rows)
        value = std::max(value, row.largest());
    }
    const double room = program.params.log2_q(i.level) - 2 - std::log2(scale);
    require(value == 0 || std::log2(value) < room, ErrorKind::bad_argument,
            "compile: ", program.layers[size_t(i.layer)].op, " \"",
            program.layers[size_t(i.layer)].name, "\" has a constant of size ", value, " at level ",
            i.level, ", where the modulus leaves room for ", std::exp2(room),
            "; a larger log_q0 or a smaller log_scale would help");
    require(i.op != Opcode::linear || i.plain_scale >= kSmallestPlainScale, ErrorKind::bad_argument,
            "compile: ", program.layers[size_t(i.layer)].op, " \"",
            program.layers[size_t(i.layer)].name, "\" would carry its weights at scale 2^",
            std::log2(i.plain_scale), "; the primes of log_q must be about as large as log_scale, ",
            program.params.options().log_scale, " bits");
  }
}

std::string one_decimal(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

/// Two digits, rounded up.
std::string two_digits(double value) {
  const double unit = std::pow(10.0, std::floor(std::log10(value)) - 1);
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", std::ceil(value / unit) * unit);
  return text;
}

void check_simulation(const EncryptedProgram& program, const StageGraph& stages,
                      const Tensor& image) {
  const auto data = image.data<float>();
  const std::vector<double> input(data.begin(), data.end());
  const std::vector<double> expected = evaluate_stages(stages, input)[size_t(stages.output)];
  const std::vector<double> slots = simulate(program, pack_input(program, image));
  double largest = 0, error = 0;
  for (size_t e = 0; e < expected.size(); ++e) {
    largest = std::max(largest, std::abs(expected[e]));
    error = std::max(error, std::abs(slots[size_t(program.output_slots[e])] - expected[e]));
  }
  require(error <= kSimulationAgreement * std::max(1.0, largest), ErrorKind::internal,
          "compile: the program differs from the network by ", error, " at values up to ", largest);
}

Explanation start_explanation(const Graph& model, const PlanChoice& choice) {
  const Planned& p = choice.planned();
  Explanation e;
  e.candidates = choice.candidates();
  e.units = choice.options().units.text();
  e.nodes = p.fused.node_count();
  e.nodes_unfused = model.node_count();
  e.depth = p.plan.depth;
  e.merges = p.fitted.stages.merges;
  e.depth_unfused = graph_levels(p.network).value_or(-1);
  e.patches_merged = p.fitted.members > 1 ? p.fitted.members : 0;
  e.notes = p.fitted.stages.notes;
  return e;
}

/// What the proof found, on the rows of the stages.
void add_differences(Explanation& e, const Planned& p, const EncryptedProgram& program) {
  const std::vector<i64> rows = layers_of(p.fitted.stages, program);
  for (size_t k = 0; k < rows.size(); ++k) {
    e.layers[size_t(rows[k])].value = p.measured.differences[k].value;
    e.layers[size_t(rows[k])].difference = p.measured.differences[k].difference;
  }
}

/// Names and levels only, of a plan that has no program.
std::vector<LayerRow> level_rows(const StageGraph& stages, const LevelPlan& plan,
                                 std::span<const int> depths) {
  std::vector<LayerRow> rows;
  for (size_t k = 0; k < stages.stages.size(); ++k) {
    LayerRow& row = rows.emplace_back();
    row.name = stages.stages[k].label();
    row.op = stages.stages[k].op;
    row.depth = depths[k];
    row.level_out = plan.level[k];
    row.level_in = plan.level[k] + depths[k];
  }
  return rows;
}

void add_parameters(Explanation& e, const StageGraph& stages, const LevelPlan& plan,
                    const SchemeOptions& scheme) {
  e.slots = slots_of(scheme);
  try {
    const ckks::CkksParams params = parameters_for(scheme, stages, plan);
    e.log2_qp = params.log2_qp();
    e.log2_qp_limit = params.log2_qp_limit();
    e.security = params.security_text();
  } catch (const Error& error) {
    e.feasible = false;
    e.reason = error.what();
  }
}

/// From the chosen plan to the program.
Compiled build(const Graph& model, const PlanChoice& choice, const Decided& decided) {
  const Planned& p = choice.planned();
  const CompileOptions& options = choice.options();
  const ckks::CkksParams& params = decided.params;
  const BootstrappedGraph& g = decided.graph;
  ThreadPool pool(std::clamp<i64>(std::thread::hardware_concurrency(), 1, kMostThreads));
  EncryptedProgram program = assemble(g.stages, g.layouts, g.plan, params, g.ranges,
                                      options.units.at(params.log_n()), pool, options.keys);
  program.metadata = options.metadata;
  program.metadata[kPlanUnits] = options.units.text();
  double largest_input = 0;
  for (const Tensor& image : p.images)
    for (float v : image.data<float>())
      largest_input = std::max(largest_input, double(std::abs(v)));
  program.input_limit = largest_input * options.margin;
  program.output_limit = program.layers.back().range * options.margin;
  require(program.keys.key_count() == 0 || !params.p().empty(), ErrorKind::bad_argument,
          "compile: log_p is empty, and this network needs ", program.keys.key_count(),
          " rotation and relinearisation keys: give special primes, e.g. log_p: [48, 48]");
  check_plaintexts(program);
  check(program);
  check_headroom(program, options.margin);
  check_simulation(program, g.stages, p.images[0]);
  const PredictedErrors errors = predict_errors(program, p.images, pool);
  if (errors.output > 0) program.metadata[kOutputError] = two_digits(errors.output);
  for (size_t l = 0; l < errors.layers.size(); ++l)
    if (errors.layers[l] > 0) program.layers[l].error = std::stod(two_digits(errors.layers[l]));
  const double bits = program.output_bits();
  require(bits >= kSmallestPrecision || bits == 0, ErrorKind::bad_argument,
          "compile: the result would keep ", bits, " bits of precision, fewer than ",
          kSmallestPrecision,
          ": a larger log_scale (and log_q0), or values of larger range in the "
          "layers, would help");
  program.hash = program_hash(program);
  Explanation explanation = start_explanation(model, choice);
  explanation.precision_bits = bits;
  explanation.bootstrap_text = decided.bootstrap_text;
  detail::add_totals(explanation, program, options.units);
  add_differences(explanation, p, program);
  auto reference = std::make_shared<const LayerReference>(p.network, g.stages, g.layouts, program);
  return {std::make_shared<const EncryptedProgram>(std::move(program)), std::move(explanation),
          std::move(reference)};
}

/// Errors that another plan for the same network may not have.
bool is_about_the_plan(const Error& error) {
  return error.kind() == ErrorKind::bad_argument || error.kind() == ErrorKind::out_of_levels;
}

std::string short_of_bits(double bits, double asked) {
  return "compiled and simulated, the result keeps " + one_decimal(bits) + " bits, " +
         one_decimal(std::ceil(10 * (asked - bits)) / 10) + " fewer than asked for (--bits)";
}

/// The warning on a program that keeps fewer bits than asked for.
std::string best_of_tries(const Compiled& compiled, i64 tries, const CompileOptions& options) {
  Candidate plan;
  if (compiled.explanation.bootstraps > 0) {
    plan.preset = options.bootstrap == BootstrapChoice::fast ? "fast" : "precise";
    plan.bootstraps = compiled.explanation.bootstraps;
    plan.secret = options.scheme.secret;
  }
  std::string text =
      "WARNING: " + short_of_bits(compiled.explanation.precision_bits, options.least_bits);
  if (tries > 1) text += "; it is the best of the " + std::to_string(tries) + " plans tried";
  return text + ". What would help: " + more_bits_by(plan);
}

/// Builds what is chosen; where that keeps too few bits, or cannot be built after all, the next.
/// When none of the plans tried is good enough, the one with the most bits, and a note that says
/// so.
Compiled build_best(const Graph& model, PlanChoice& choice) {
  std::optional<Compiled> best;
  std::exception_ptr failed;
  i64 tries = 0, taken = 0;
  const double asked = choice.options().least_bits;
  for (bool is_next = true; is_next; ++tries) {
    std::string reason;
    double bits = 0;
    try {
      Compiled next =
          build(model, choice, decide(choice.planned(), choice.options(), choice.goal()));
      bits = next.explanation.precision_bits;
      if (bits == 0 || bits >= asked) return next;
      reason = short_of_bits(bits, asked);
      if (!best || bits > best->explanation.precision_bits) best = std::move(next), taken = tries;
    } catch (const Error& error) {
      if (!is_about_the_plan(error)) throw;
      reason = error.what();
      failed = std::current_exception();
    }
    is_next = choice.refuse(reason, bits);
  }
  if (!best) std::rethrow_exception(failed);
  choice.settle_for(taken);
  best->explanation.candidates = choice.candidates();
  best->explanation.notes.push_back(best_of_tries(*best, tries, choice.options()));
  return std::move(*best);
}

}  // namespace

Compiled compile(const Graph& model, std::span<const Tensor> calibration,
                 const CompileOptions& options, const Progress& progress) {
  check_options(options);
  PlanChoice choice(model, calibration, options, progress);
  return build_best(model, choice);
}

Explanation explain_only(const Graph& model, std::span<const Tensor> calibration,
                         const CompileOptions& options, bool fuse, const Progress& progress) {
  check_options(options);
  if (fuse) {
    PlanChoice choice(model, calibration, options, progress, true);
    std::string reason;
    try {
      Explanation e = build_best(model, choice).explanation;
      e.feasible = choice.why_not().empty();
      e.reason = choice.why_not();
      return e;
    } catch (const Error& error) {
      if (!is_about_the_plan(error)) throw;
      reason = error.what();
    }
    const Planned& p = choice.planned();
    const StageGraph& stages = p.fitted.stages;
    Explanation e = start_explanation(model, choice);
    e.feasible = false;
    e.reason = reason;
    e.slots = slots_of(choice.options().scheme);
    std::vector<int> depths;
    for (const Stage& s : stages.stages) depths.push_back(s.kind == StageKind::input ? 0 : 1);
    e.layers = level_rows(stages, p.plan, depths);
    return e;
  }
  const Graph graph = bind_and_fuse(model, false);
  const StageGraph stages = lower(graph);
  const std::vector<int> depths = unmerged_depths(stages);
  const LevelPlan levels = plan_levels(stages, depths);
  Explanation e;
  e.fused = false;
  e.nodes = e.nodes_unfused = graph.node_count();
  e.depth = e.depth_unfused = levels.depth;
  e.layers = level_rows(stages, levels, depths);
  add_parameters(e, stages, levels, options.scheme);
  return e;
}

}  // namespace sinter::encrypted
