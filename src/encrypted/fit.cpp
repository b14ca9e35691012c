// SPDX-License-Identifier: Apache-2.0
#include "encrypted/fit.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <thread>

#include "base/threads.h"
#include "encrypted/graph_levels.h"
#include "encrypted/join_inputs.h"
#include "encrypted/layout.h"
#include "encrypted/levels.h"
#include "encrypted/lower.h"
#include "encrypted/merge.h"
#include "encrypted/pack_branches.h"
#include "passes/pipeline.h"

namespace sinter::encrypted {
namespace {

/// Input ciphertexts of packed branches; a client that would have to send more sends its input
/// whole, and the server selects.
constexpr i64 kMaxInputs = 16;
constexpr size_t kBalanceImages = 2;  ///< that the sizes of values are chosen by

i64 input_count(const StageGraph& graph) {
  return std::count_if(graph.stages.begin(), graph.stages.end(),
                       [](const Stage& s) { return s.kind == StageKind::input; });
}

/// Largest |value| of every channel of every stage.
ChannelRanges ranges_of(const StageGraph& stages, const std::vector<std::vector<double>>& values,
                        i64 image) {
  ChannelRanges ranges;
  for (size_t k = 0; k < values.size(); ++k) {
    const Geometry& g = stages.stages[k].geometry;
    std::vector<double>& range = ranges.emplace_back(size_t(g.members * g.channels), 0.0);
    for (size_t i = 0; i < values[k].size(); ++i) {
      const double v = values[k][i];
      require(std::isfinite(v), ErrorKind::bad_input, "compile: calibration image ", image,
              " makes ", stages.stages[k].op, " \"", stages.stages[k].name, "\" overflow");
      double& largest = range[i / size_t(g.height * g.width)];
      largest = std::max(largest, std::abs(v));
    }
  }
  return ranges;
}

std::vector<double> largest_of(const ChannelRanges& channels) {
  std::vector<double> ranges;
  for (const std::vector<double>& of_stage : channels)
    ranges.push_back(*std::max_element(of_stage.begin(), of_stage.end()));
  return ranges;
}

std::vector<double> to_doubles(const Tensor& image) {
  const auto data = image.data<float>();
  return {data.begin(), data.end()};
}

/// Which pass saved which levels: those of the graph are counted before each pass.
class PassLevels {
 public:
  explicit PassLevels(const Graph& graph) : graph_(graph), levels_(graph_levels(graph)) {}

  void next(std::string_view pass) {
    const std::optional<int> now = graph_levels(graph_);
    if (levels_ && now) saved_[pass_] += *levels_ - *now;
    if (now) levels_ = now;
    pass_ = pass;
  }

  std::vector<MergeRecord> records(const OptimizeReport& report) {
    next("");
    std::vector<MergeRecord> all;
    for (const PassReport& pass : report.passes) {
      const int saved = saved_[pass.name];
      if (saved == 0 && (pass.changed == 0 || pass.name.find("fuse") == std::string::npos))
        continue;
      MergeRecord& record = all.emplace_back(MergeRecord{pass.name, {}, pass.changed, saved});
      for (const RewriteRecord& rewrite : report.rewrites)
        if (rewrite.pass == pass.name) record.names.push_back(rewrite.where);
    }
    return all;
  }

 private:
  const Graph& graph_;
  std::optional<int> levels_;
  std::string pass_;
  std::map<std::string, int> saved_;
};

/// Weights that training or export spoilt would show as overflow somewhere behind them.
void require_finite(const Graph& graph) {
  for (ValueId v : graph.values()) {
    const Tensor* const constant = graph.constant(v);
    if (constant == nullptr || !is_float(constant->dtype())) continue;
    for (i64 e = 0; e < constant->size(); ++e)
      require(std::isfinite(constant->as_double(e)), ErrorKind::bad_input, "compile: the weight \"",
              graph.value(v).name, "\" of the model holds ", constant->as_double(e), " at element ",
              e, ": expected finite numbers; export or train the model again");
  }
}

i64 largest_footprint(StageGraph graph, i64 slots) {
  i64 largest = 1;
  for (const Layout& layout : lay_out(graph, slots)) largest = std::max(largest, layout.footprint);
  return largest;
}

void refuse_affine(const StageGraph& graph) {
  for (const Stage& s : graph.stages) {
    if (s.kind != StageKind::linear || !s.is_affine) continue;
    const bool diagonal = std::all_of(s.terms.begin(), s.terms.end(),
                                      [](const Term& t) { return is_diagonal(*t.matrix); });
    require(!diagonal, ErrorKind::bad_argument, "compile: ", s.op, " \"", s.name,
            "\" is left after fusion and would cost a level of its own: put it next to a "
            "convolution or a linear layer, or accept it with pay_for_affine");
  }
}

}  // namespace

Graph bind_and_fuse(const Graph& model, bool fuse, std::vector<MergeRecord>* merges) {
  require_finite(model);
  Graph graph = model.clone();
  for (ValueId input : graph.inputs()) {
    const Value& value = graph.value(input);
    require(value.type.shape.has_value(), ErrorKind::unsupported, "compile: input \"", value.name,
            "\" has no shape");
    Shape shape = *value.type.shape;
    if (!shape.empty() && !shape[0].value()) shape[0] = Dim(1);
    require(static_dims(shape).has_value(), ErrorKind::unsupported, "compile: input \"", value.name,
            "\" has the shape ", to_text(shape), "; only the first dimension may be symbolic");
    require(shape.empty() || shape[0].value() == 1, ErrorKind::unsupported, "compile: input \"",
            value.name, "\" has the shape ", to_text(shape), "; a batch of 1 was expected");
    graph.set_input_type(input, value.type.dtype, shape);
  }
  graph.infer_all();
  if (!fuse) return graph;
  OptimizeOptions options;
  options.rules.profile = Profile::fhe;
  PassLevels levels(graph);
  if (merges != nullptr) options.progress = [&](std::string_view pass, i64) { levels.next(pass); };
  const OptimizeReport report = optimize(graph, options);
  if (merges != nullptr) *merges = levels.records(report);
  return graph;
}

Fitted fit(const Graph& fused, i64 slots, bool pay_for_affine, const PackingOptions& packing) {
  const i64 share = slots / std::max<i64>(1, packing.batch);
  require(share >= 1, ErrorKind::bad_argument, "compile: a batch of ", packing.batch, " images in ",
          slots, " slots");
  Fitted fitted;
  int alone = 0;  // levels of the fused graph
  for (const bool client_selects : {true, false}) {
    fitted.stages = lower(fused);
    const int depth = unmerged_depth(fitted.stages);
    alone = graph_levels(fused).value_or(depth);
    if (alone != depth) fitted.stages.merges.push_back({"lower", {}, 1, alone - depth});
    merge(fitted.stages, {client_selects, share});
    if (!packing.join_branches) break;
    fitted.members = pack_branches(fitted.stages, share);
    if (join_inputs(fitted.stages, share) || input_count(fitted.stages) <= kMaxInputs) break;
  }
  const int kept = alone - levels_saved(fitted.stages.merges) - plan_levels(fitted.stages).depth;
  if (kept != 0) fitted.stages.merges.push_back({"keep", {}, 1, kept});
  if (!pay_for_affine) refuse_affine(fitted.stages);
  fitted.stages.batch = packing.batch > 0
                            ? packing.batch
                            : std::max<i64>(1, slots / largest_footprint(fitted.stages, slots));
  return fitted;
}

std::vector<Tensor> calibration_images(const Dims& input_dims,
                                       std::span<const Tensor> calibration) {
  std::vector<Tensor> images;
  const i64 size = element_count(input_dims);
  for (const Tensor& t : calibration) {
    Dims rest = t.dims();
    const bool is_batch = rest.size() == input_dims.size() && !rest.empty();
    const i64 batch = is_batch ? rest[0] : 1;
    if (is_batch) rest[0] = 1;
    if (rest.size() + 1 == input_dims.size()) rest.insert(rest.begin(), 1);
    require(rest == input_dims, ErrorKind::bad_argument, "compile: calibration data expects ",
            to_text(input_dims), " with any batch, found ", to_text(t.dims()));
    require(t.dtype() == DType::f32 || t.dtype() == DType::f64, ErrorKind::bad_argument,
            "compile: calibration data expects f32, found ", name(t.dtype()));
    for (i64 n = 0; n < batch; ++n) {
      Tensor image(DType::f32, input_dims);
      const auto to = image.mutable_data<float>();
      for (i64 e = 0; e < size; ++e) {
        const double v = t.as_double(n * size + e);
        require(std::isfinite(v), ErrorKind::bad_input, "compile: calibration image ",
                images.size(), " holds ", v, " at element ", e);
        to[size_t(e)] = float(v);
      }
      images.push_back(std::move(image));
    }
  }
  require(!images.empty(), ErrorKind::bad_argument,
          "compile: expected at least one calibration image, found none");
  const auto is_dark = [](const Tensor& image) {
    const auto data = image.data<float>();
    return std::all_of(data.begin(), data.end(), [](float v) { return v == 0; });
  };
  require(!std::all_of(images.begin(), images.end(), is_dark), ErrorKind::bad_input,
          "compile: the calibration images hold nothing but zeros: expected images like those that "
          "will be encrypted, whose ranges the plan is made for");
  return images;
}

StageMeasures measure(StageGraph& stages, const Graph& network, const Graph& fused,
                      std::span<const Tensor> images, const Progress& progress) {
  std::vector<ChannelRanges> ranges(images.size());
  std::vector<std::vector<double>> first;
  const i64 cores = std::max<i64>(1, i64(std::thread::hardware_concurrency()));
  ThreadPool pool(std::min(std::ssize(images), cores));
  std::atomic<i64> done = 0;
  pool.run(std::ssize(images), [&](i64 n, i64 worker) {
    auto values = evaluate_stages(stages, to_doubles(images[size_t(n)]));
    ranges[size_t(n)] = ranges_of(stages, values, n);
    if (n == 0) first = std::move(values);
    const i64 count = ++done;
    if (worker == 0 && progress) progress(count, std::ssize(images), "calibrate");
  });
  StageMeasures m;
  m.channels = ranges[0];
  for (const ChannelRanges& one : ranges)
    for (size_t k = 0; k < one.size(); ++k)
      for (size_t c = 0; c < one[k].size(); ++c)
        m.channels[k][c] = std::max(m.channels[k][c], one[k][c]);
  m.ranges = largest_of(m.channels);
  m.differences = prove_layers(stages, first, network, fused, images[0]);
  return m;
}

double balance_measured(StageGraph& stages, StageMeasures& m, std::span<const Tensor> images,
                        const SchemeOptions& scheme) {
  std::vector<std::vector<double>> inputs;
  for (size_t n = 0; n < std::min(images.size(), kBalanceImages); ++n)
    inputs.push_back(
        to_doubles(images[n * images.size() / std::min(images.size(), kBalanceImages)]));
  const double n = std::exp2(double(scheme.log_n));
  const double weight =
      scheme.secret == ckks::SecretKind::ternary ? n * 2 / 3 : double(scheme.hamming_weight);
  const double bits = balance(stages, m.channels, inputs, {weight});
  m.ranges = largest_of(m.channels);
  return bits;
}

}  // namespace sinter::encrypted
