// SPDX-License-Identifier: Apache-2.0
#include "encrypted/compile.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "encrypted/assemble.h"
#include "encrypted/check.h"
#include "encrypted/client.h"
#include "encrypted/detail/explain_program.h"
#include "encrypted/fit.h"
#include "encrypted/lower.h"
#include "encrypted/serialize.h"
#include "encrypted/simulate.h"

namespace sinter::encrypted {
namespace {

/// The program on doubles against the stages on doubles: they do the same sums in another order.
constexpr double kSimulationAgreement = 1e-6;
constexpr double kSmallestPlainScale = 0x1p15;  ///< weights below it would keep few bits
constexpr double kSmallestPrecision = 8;        ///< bits of the result
constexpr u64 kNoiseSeed = 1, kNoiseRuns = 4;
constexpr i64 kNoiseImages = 4;

i64 slots_of(const SchemeOptions& scheme) {
  require(scheme.log_n >= 4 && scheme.log_n <= 17, ErrorKind::bad_argument,
          "compile: expected log_n from 4 to 17, found ", scheme.log_n);
  return i64(1) << (scheme.log_n - 1);
}

void check_options(const CompileOptions& options) {
  slots_of(options.scheme);
  require(std::isfinite(options.margin) && options.margin >= 1, ErrorKind::bad_argument,
          "compile: expected a margin of at least 1, found ", options.margin);
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
  const auto largest = [](const SlotVector& v) {
    double m = 0;
    for (const Run& run : v.runs) m = std::max(m, std::abs(run.value));
    return m;
  };
  for (const Instruction& i : program.instructions) {
    if (i.op != Opcode::linear && i.op != Opcode::add_vector) continue;
    double value = 0, scale = i.plain_scale;
    if (i.op == Opcode::add_vector) {
      value = largest(program.vectors[size_t(i.table)]);
      scale = i.scale;
    } else {
      for (const SlotVector& row : program.maps[size_t(i.table)].rows)
        value = std::max(value, largest(row));
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

/// The standard deviation of the scheme's error in an element of the result: the largest that any
/// element has on any of up to kNoiseImages calibration images, each run under kNoiseRuns seeds and
/// measured over these runs and all copies of the element.
double predict_error(const EncryptedProgram& program, std::span<const Tensor> images) {
  const i64 period = program.instructions.back().period;
  const i64 count = std::min<i64>(kNoiseImages, std::ssize(images));
  double largest = 0;
  for (i64 image = 0; image < count; ++image) {
    const i64 at = image * std::ssize(images) / count;
    const std::vector<double> input = pack_input(program, images[size_t(at)]);
    const std::vector<double> exact = simulate(program, input);
    std::vector<double> squares(program.output_slots.size(), 0.0);
    for (u64 run = 0; run < kNoiseRuns; ++run) {
      const u64 seed = kNoiseSeed + u64(image) * kNoiseRuns + run;
      const std::vector<double> noisy = simulate(program, input, {seed, {}});
      for (size_t e = 0; e < squares.size(); ++e)
        for (i64 s = program.output_slots[e]; s < program.slots(); s += period)
          squares[e] += std::pow(noisy[size_t(s)] - exact[size_t(s)], 2);
    }
    const double samples = double(kNoiseRuns) * double(program.slots() / period);
    for (double sum : squares) largest = std::max(largest, std::sqrt(sum / samples));
  }
  return largest;
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

int unfused_depth(const Graph& model, i64& nodes) {
  try {
    const Graph graph = bind_and_fuse(model, false);
    nodes = graph.node_count();
    const StageGraph stages = lower(graph);
    return plan_levels(stages, unmerged_depths(stages)).depth;
  } catch (const Error&) {
    return -1;  // the graph as given has parts that only fusion removes
  }
}

/// Everything up to the parameters.
struct Planned {
  Graph fused;
  Fitted fitted;
  std::vector<double> ranges;
  std::vector<Tensor> images;
  std::vector<Layout> layouts;
  LevelPlan plan;
};

Planned plan(const Graph& model, std::span<const Tensor> calibration, const CompileOptions& options,
             const Progress& progress) {
  Planned p{bind_and_fuse(model, true), {}, {}, {}, {}, {}};
  const i64 slots = slots_of(options.scheme);
  p.fitted = fit(p.fused, slots, options.pay_for_affine);
  p.images = calibration_images(p.fitted.stages.input_dims, calibration);
  p.layouts = lay_out(p.fitted.stages, slots);
  p.plan = plan_levels(p.fitted.stages);
  p.ranges = measure_ranges(p.fitted.stages, p.fused, p.images, progress);
  return p;
}

Explanation start_explanation(const Graph& model, const Planned& p) {
  Explanation e;
  e.nodes = p.fused.node_count();
  e.nodes_unfused = model.node_count();
  e.depth = p.plan.depth;
  e.depth_unfused = unfused_depth(model, e.nodes_unfused);
  e.patches_merged = p.fitted.members > 1 ? p.fitted.members : 0;
  e.notes = p.fitted.stages.notes;
  return e;
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

}  // namespace

Compiled compile(const Graph& model, std::span<const Tensor> calibration,
                 const CompileOptions& options, const Progress& progress) {
  check_options(options);
  const Planned p = plan(model, calibration, options, progress);
  const StageGraph& stages = p.fitted.stages;
  const ckks::CkksParams params = parameters_for(options.scheme, stages, p.plan);
  EncryptedProgram program = assemble(stages, p.layouts, p.plan, params, p.ranges);
  program.metadata = options.metadata;
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
  check_simulation(program, stages, p.images[0]);
  if (const double error = predict_error(program, p.images); error > 0)
    program.metadata[kOutputError] = two_digits(error);
  const double bits = program.output_bits();
  require(bits >= kSmallestPrecision || bits == 0, ErrorKind::bad_argument,
          "compile: the result would keep ", bits, " bits of precision, fewer than ",
          kSmallestPrecision,
          ": a larger log_scale (and log_q0), or values of larger range in the "
          "layers, would help");
  program.hash = program_hash(program);
  Explanation explanation = start_explanation(model, p);
  explanation.precision_bits = bits;
  detail::add_totals(explanation, program);
  return {std::make_shared<const EncryptedProgram>(std::move(program)), std::move(explanation)};
}

Explanation explain_only(const Graph& model, std::span<const Tensor> calibration,
                         const CompileOptions& options, bool fuse, const Progress& progress) {
  check_options(options);
  if (fuse) {
    const Planned p = plan(model, calibration, options, progress);
    const StageGraph& stages = p.fitted.stages;
    Explanation e = start_explanation(model, p);
    add_parameters(e, stages, p.plan, options.scheme);
    if (e.feasible) return compile(model, calibration, options, progress).explanation;
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
