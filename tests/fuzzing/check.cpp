// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzzing/check.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <sstream>

#include "base/random.h"
#include "graph/evaluate.h"
#include "graph/text.h"
#include "graph/verify.h"

namespace sinter::fuzzing {
namespace {

constexpr i64 kBindings = 3;

i64 bound(const Dim& d, i64 binding) {
  if (const auto number = d.value()) return *number;
  if (binding > 0) return binding;
  const std::string text = d.text();
  return text == "n" ? 3 : text == "c" ? 2 : text == "h" ? 5 : text == "w" ? 7 : 11;
}

std::vector<Tensor> make_inputs(const Graph& graph, i64 binding, u64 seed) {
  Rng rng(seed * 31 + u64(binding));
  std::vector<Tensor> inputs;
  for (ValueId id : graph.inputs()) {
    const ValueType& type = graph.value(id).type;
    Dims dims;
    if (type.shape)
      for (const Dim& d : *type.shape) dims.push_back(bound(d, binding));
    Tensor t(DType::f64, dims);
    for (double& v : t.mutable_data<double>())
      v = type.dtype == DType::boolean ? double(rng.below(2))
          : is_float(type.dtype)       ? rng.normal()
                                       : double(rng.below(9) - 4);
    inputs.push_back(convert(t, type.dtype));
  }
  return inputs;
}

/// Relative to the largest element: constants are rounded again, attributes are float32.
double tolerance(DType type) {
  switch (type) {
    case DType::f16:
      return 0.02;
    case DType::bf16:
      return 0.1;
    case DType::f32:
      return 1e-4;
    default:
      return 2e-5;
  }
}

bool is_narrow(DType type) { return type == DType::f16 || type == DType::bf16; }

/// Rounding to a few bits may be amplified by a division anywhere: more than half of the elements
/// must be far off.
std::string compare_narrow(const Tensor& a, const Tensor& b, double relative) {
  i64 far = 0;
  for (i64 i = 0; i < a.size(); ++i) {
    const double x = a.as_double(i), y = b.as_double(i);
    far += std::isfinite(x) && !(std::abs(x - y) <= relative * std::max(1.0, std::abs(x)));
  }
  return far * 2 > a.size() ? std::to_string(far) + " elements are far off" : "";
}

/// `largest`: the scale of errors, at least the largest element.
std::string compare(const Tensor& a, const Tensor& b, double relative, double largest) {
  std::ostringstream text;
  if (a.dtype() != b.dtype() || a.dims() != b.dims()) {
    text << name(b.dtype()) << to_text(b.dims()) << ", was " << name(a.dtype())
         << to_text(a.dims());
    return text.str();
  }
  // Indices that an ArgMax or TopK finds among narrow floats too: these have many near ties.
  if (relative >= tolerance(DType::f16)) return compare_narrow(a, b, relative);
  double scale = largest;
  for (i64 i = 0; is_float(a.dtype()) && i < a.size(); ++i)
    if (const double v = std::abs(a.as_double(i)); std::isfinite(v)) scale = std::max(scale, v);
  for (i64 i = 0; i < a.size(); ++i) {
    const double x = a.as_double(i), y = b.as_double(i);
    if (std::isnan(x) && std::isnan(y)) continue;
    // A folded float32 constant overflows where the float64 evaluation does not.
    if (relative >= tolerance(DType::f32) && std::abs(x) > FLT_MAX &&
        y == std::copysign(INFINITY, x))
      continue;
    if (x == y || (is_float(a.dtype()) && std::abs(x - y) <= relative * scale)) continue;
    text << "element " << i << " is " << y << ", was " << x;
    return text.str();
  }
  return "";
}

std::string interface_change(const Graph& a, const Graph& b) {
  if (a.inputs().size() != b.inputs().size()) return "number of inputs";
  for (size_t i = 0; i < a.inputs().size(); ++i) {
    const Value &x = a.value(a.inputs()[i]), &y = b.value(b.inputs()[i]);
    if (x.name != y.name || x.type.dtype != y.type.dtype) return "input " + x.name;
    if (x.type.shape && !(y.type.shape && to_text(*x.type.shape) == to_text(*y.type.shape)))
      return "shape of input " + x.name;
  }
  if (a.outputs().size() != b.outputs().size()) return "number of outputs";
  for (size_t i = 0; i < a.outputs().size(); ++i) {
    const GraphOutput &x = a.outputs()[i], &y = b.outputs()[i];
    if (x.name != y.name || a.dtype(x.value) != b.dtype(y.value)) return "output " + x.name;
  }
  return "";
}

DType lowest_float(const Graph& graph) {
  DType type = DType::f64;
  for (ValueId v : graph.values()) {
    const DType t = graph.dtype(v);
    if (is_float(t) && tolerance(t) > tolerance(type)) type = t;
  }
  return type;
}

std::string failures_text(const OptimizeReport& report) {
  std::string text;
  for (const RewriteFailure& f : report.failures) {
    if (f.reason.ends_with("nodes more than before")) continue;  // saves nothing, harms nothing
    text += "undone: " + f.pass + "/" + f.rule + ": " + f.reason + "\n" + f.before + "became\n" +
            f.after;
  }
  return text;
}

/// The largest number that occurs on the way, infinite when one is not finite.
double largest_inside(const Graph& graph, std::span<const Tensor> inputs) {
  Graph probe = graph.clone();
  i64 count = 0;
  for (ValueId v : probe.values())
    if (is_float(probe.dtype(v)) && !probe.is_output(v))
      probe.add_output("probe" + std::to_string(count++), v);
  double largest = 1;
  for (const Tensor& t : evaluate(probe, inputs, Precision::widened))
    for (i64 i = 0; is_float(t.dtype()) && i < t.size(); ++i) {
      const double v = std::abs(t.as_double(i));
      largest = std::isfinite(v) ? std::max(largest, v) : INFINITY;
      if (largest == INFINITY) return largest;
    }
  return largest;
}

}  // namespace

std::string difference_of(const Graph& a, const Graph& b, u64 seed, bool& compared) {
  const double relative = std::max(tolerance(lowest_float(a)), tolerance(lowest_float(b)));
  for (i64 binding = 0; binding < kBindings; ++binding) {
    const std::vector<Tensor> inputs = make_inputs(a, binding, seed);
    std::vector<Tensor> x, y, ordered;
    try {
      x = evaluate(a, inputs, Precision::widened);
    } catch (const Error&) {
      continue;
    }
    compared = true;
    for (ValueId v : b.inputs()) {
      size_t i = 0;
      while (i < inputs.size() && a.value(a.inputs()[i]).name != b.value(v).name) ++i;
      if (i < inputs.size())
        ordered.push_back(inputs[i].clone());
      else if (b.dtype(v) == DType::boolean)
        ordered.push_back(Tensor::scalar<bool>(true));
      else
        return "input " + b.value(v).name + " is new";
    }
    const std::string where = " (symbols: case " + std::to_string(binding) + ")";
    try {
      y = evaluate(b, ordered, Precision::widened);
    } catch (const Error& e) {
      return std::string("does not run: ") + e.what() + where;
    }
    for (size_t o = 0; o < x.size(); ++o) {
      std::string wrong = compare(x[o], y[o], relative, 1);
      if (wrong.empty()) continue;
      // Cancellation, or an infinity on the way that re-association may make a NaN of.
      const double largest = largest_inside(a, inputs);
      if (largest == INFINITY && x[o].dims() == y[o].dims() && x[o].dtype() == y[o].dtype())
        continue;
      if (largest > 1e3) wrong = compare(x[o], y[o], relative, largest);
      if (!wrong.empty()) return "output " + a.outputs()[o].name + ": " + wrong + where;
    }
  }
  return "";
}

Verdict check(const Graph& original, const Check& how) {
  Verdict verdict;
  OptimizeOptions options;
  options.rules.profile = how.profile;
  options.check_rewrites = how.check_rewrites;
  options.max_rounds = 16;  // such small graphs need three
  try {
    Graph graph = original.clone();
    const OptimizeReport report = optimize(graph, options);
    verdict.nodes_before = deep_node_count(original);
    verdict.nodes_after = deep_node_count(graph);
    // The driver's own bound is too tight for narrow floats behind a division.
    if (!is_narrow(lowest_float(original))) verdict.wrong = failures_text(report);
    if (!report.converged) verdict.wrong += "did not converge\n";
    if (verdict.nodes_after > verdict.nodes_before) verdict.wrong += "more nodes than before\n";
    verify(graph);
    if (const std::string change = interface_change(original, graph); !change.empty())
      verdict.wrong += "interface: " + change + "\n";
    bool compared = false;
    if (const std::string d = difference_of(original, graph, how.seed, compared); !d.empty())
      verdict.wrong += d + "\n";
    if (!compared) {  // the graph has no meaning: nothing is known to be wrong
      verdict.wrong.clear();
      return verdict;
    }
    verdict.run = Run::compared;
    Graph again = graph.clone();
    const OptimizeReport second = optimize(again, options);
    if (!second.rewrites.empty() || to_text(again) != to_text(graph))
      verdict.wrong +=
          "a second run changes it: " +
          (second.rewrites.empty() ? "" : second.rewrites[0].pass + "/" + second.rewrites[0].rule) +
          "\n";
    if (how.twice) {
      Graph other = original.clone();
      optimize(other, options);
      if (to_text(other) != to_text(graph)) verdict.wrong += "two runs differ\n";
    }
    if (!verdict.wrong.empty()) verdict.wrong += "optimized:\n" + to_text(graph, {16});
  } catch (const Error& e) {
    verdict.wrong += std::string("error: ") + e.what() + "\n";
  }
  return verdict;
}

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// The graph without what no output needs, unused inputs too.
Graph cleaned(const std::vector<std::string>& lines, i64 opset) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  Graph graph = parse_graph(text);
  graph.info.opset = opset;
  eliminate_dead_nodes(graph, {});
  eliminate_unused_initializers(graph, {});
  for (ValueId v : std::vector<ValueId>(graph.inputs()))
    if (graph.use_count(v) == 0) graph.erase_input(v);
  return graph;
}

/// Line `i` without its output, or its result as an input; empty when it is neither.
std::string smaller_line(const Graph& graph, const std::string& line) {
  if (line.starts_with("output ")) return "#";
  const size_t equals = line.find(" = ");
  if (equals == std::string::npos || line[0] == ' ' || line[0] == '}') return "";
  const std::string value = line.substr(0, equals), rest = line.substr(equals + 3);
  if (rest.starts_with("input ") || rest.starts_with("const ") || rest.back() == '{') return "";
  const auto id = graph.find_value(value);
  if (!id || !graph.shape(*id)) return "";
  return value + " = input " + std::string(name(graph.dtype(*id))) + to_text(*graph.shape(*id));
}

}  // namespace

Graph shrink(const Graph& graph, const std::function<bool(const Graph&)>& is_wrong) {
  Graph best = graph.clone();
  const i64 opset = graph.info.opset;
  for (bool progress = true; progress;) {
    progress = false;
    const std::vector<std::string> lines = lines_of(to_text(best));
    for (size_t i = lines.size(); i-- > 0 && !progress;) {
      const std::string smaller = smaller_line(best, lines[i]);
      if (smaller.empty()) continue;
      std::vector<std::string> attempt = lines;
      attempt[i] = smaller;
      try {
        Graph candidate = cleaned(attempt, opset);
        const bool fewer = candidate.node_count() < best.node_count() ||
                           candidate.outputs().size() < best.outputs().size();
        if (!fewer || candidate.outputs().empty() || !is_wrong(candidate)) continue;
        best = std::move(candidate);
        progress = true;
      } catch (const Error&) {  // not a graph: the next line
      }
    }
  }
  return best;
}

}  // namespace sinter::fuzzing
