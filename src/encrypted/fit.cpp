// SPDX-License-Identifier: Apache-2.0
#include "encrypted/fit.h"

#include <algorithm>
#include <cmath>

#include "encrypted/join_inputs.h"
#include "encrypted/lower.h"
#include "encrypted/merge.h"
#include "encrypted/pack_branches.h"
#include "graph/evaluate.h"
#include "passes/pipeline.h"

namespace sinter::encrypted {
namespace {

/// Stages differ from the float32 graph by its rounding, no more.
constexpr double kAgreement = 1e-3;

i64 input_count(const StageGraph& graph) {
  return std::count_if(graph.stages.begin(), graph.stages.end(),
                       [](const Stage& s) { return s.kind == StageKind::input; });
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

Graph bind_and_fuse(const Graph& model, bool fuse) {
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
  OptimizeOptions options;
  options.rules.profile = Profile::fhe;
  if (fuse) optimize(graph, options);
  return graph;
}

Fitted fit(const Graph& fused, i64 slots, bool pay_for_affine) {
  Fitted fitted;
  for (const bool client_selects : {true, false}) {
    fitted.stages = lower(fused);
    merge(fitted.stages, {client_selects, slots});
    fitted.members = pack_branches(fitted.stages, slots);
    if (join_inputs(fitted.stages, slots)) break;
  }
  SINTER_ASSERT(input_count(fitted.stages) == 1);
  if (!pay_for_affine) refuse_affine(fitted.stages);
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
  return images;
}

std::vector<double> measure_ranges(const StageGraph& stages, const Graph& fused,
                                   std::span<const Tensor> images, const Progress& progress) {
  std::vector<double> ranges(stages.stages.size(), 0.0);
  for (size_t n = 0; n < images.size(); ++n) {
    const auto data = images[n].data<float>();
    const std::vector<double> input(data.begin(), data.end());
    const auto values = evaluate_stages(stages, input);
    for (size_t k = 0; k < values.size(); ++k)
      for (double v : values[k]) {
        require(std::isfinite(v), ErrorKind::bad_input, "compile: calibration image ", n, " makes ",
                stages.stages[k].op, " \"", stages.stages[k].name, "\" overflow");
        ranges[k] = std::max(ranges[k], std::abs(v));
      }
    if (n == 0) {
      const std::vector<Tensor> expected = evaluate(fused, images.first(1));
      const std::vector<double>& found = values[size_t(stages.output)];
      double largest = 0, error = 0;
      for (size_t e = 0; e < found.size(); ++e) {
        largest = std::max(largest, std::abs(expected[0].as_double(i64(e))));
        error = std::max(error, std::abs(expected[0].as_double(i64(e)) - found[e]));
      }
      require(error <= kAgreement * largest + 1e-6, ErrorKind::internal,
              "compile: stages and graph differ by ", error, " at values up to ", largest);
    }
    if (progress) progress(i64(n) + 1, std::ssize(images), "calibrate");
  }
  return ranges;
}

}  // namespace sinter::encrypted
