// SPDX-License-Identifier: Apache-2.0
#include "passes/check_equal.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "base/random.h"

namespace sinter {
namespace {

constexpr i64 kKinds = 4, kBindings = 3, kPrimeAttempts = 4;
constexpr i64 kTries = 3, kWildTries = 7;  // each with values a tenth of those before
constexpr std::string_view kKindNames[] = {"normal", "uniform", "mix of -1, 0, 1", "large"};
constexpr i64 kPrimes[] = {2,  3,  5,  7,  11, 13, 17, 19, 23, 29, 31,
                           37, 41, 43, 47, 53, 59, 61, 67, 71, 73};

constexpr i64 kEqual[] = {32, 8, 4, 2, 1};
constexpr i64 kLong[] = {256, 512, 1536};  // of a signal: the last axis; the others 1
constexpr i64 kLongAttempt = kPrimeAttempts + i64(std::size(kEqual));
constexpr i64 kAttempts = kLongAttempt + i64(std::size(kLong));

bool is_identifier(const std::string& text) {
  return !text.empty() && !(text[0] >= '0' && text[0] <= '9') &&
         text.find_first_of(" *+-/()") == std::string::npos;
}

/// Numbers for the symbols of the inputs: distinct primes, or all 1 in the last binding. Later
/// attempts take larger primes, for models that need room for a window; then the same number
/// everywhere, for those that halve and double their sizes or add inputs together; the last ones
/// are long along the last axis, for models of signals.
class Binding {
 public:
  Binding(i64 binding, i64 attempt) : next_(binding % 2 + 5 * attempt) {
    if (binding == kBindings - 1 && attempt == 0) everywhere_ = 1;
    if (attempt >= kLongAttempt)
      long_ = kLong[attempt - kLongAttempt];
    else if (attempt >= kPrimeAttempts)
      everywhere_ = kEqual[attempt - kPrimeAttempts];
  }

  /// The size of axis `axis` of an input of `rank` axes.
  i64 operator()(const Dim& dim, i64 axis, i64 rank, const std::string& input) {
    if (const std::optional<i64> number = dim.value()) return *number;
    if (long_ > 0) return rank > 1 && axis == rank - 1 ? long_ : 1;
    const std::string symbol = dim.text();
    if (!dim.is_known()) return fresh();
    require(is_identifier(symbol), ErrorKind::unsupported, "compare_graphs: input \"", input,
            "\": expected a number or a symbol as dimension, found ", symbol);
    const auto it = numbers_.find(symbol);
    return it != numbers_.end() ? it->second : numbers_[symbol] = fresh();
  }

 private:
  i64 fresh() {
    if (everywhere_ > 0) return everywhere_;
    return kPrimes[std::min<size_t>(size_t(next_++), std::size(kPrimes) - 1)];
  }
  i64 everywhere_ = 0;  // 0: each symbol a prime of its own
  i64 long_ = 0;        // 0: all axes alike
  i64 next_;
  std::map<std::string, i64> numbers_;
};

double draw(Rng& rng, i64 kind, double scale) {
  switch (kind) {
    case 0:
      return scale * rng.normal();
    case 1:
      return scale * rng.uniform(-1, 1);
    case 2:
      return scale * double(rng.below(3) - 1);
    default:
      return 100 * scale * rng.normal();
  }
}

/// A random value of the type; `bind` gives the sizes of its axes.
template <class Bind>
Tensor make_value(const ValueType& type, const std::string& name, Rng& rng, i64 kind, double scale,
                  Bind& bind) {
  if (is_container(type.dtype)) {
    require(type.element != nullptr, ErrorKind::unsupported, "compare_graphs: input \"", name,
            "\" holds values of unknown type");
    std::vector<Tensor> items;
    for (i64 i = 0; i < (type.dtype == DType::sequence ? 2 : 1); ++i)
      items.push_back(make_value(*type.element, name, rng, kind, scale, bind));
    return type.dtype == DType::sequence ? Tensor::sequence(std::move(items))
                                         : Tensor::optional(std::move(items));
  }
  require(type.shape.has_value(), ErrorKind::unsupported, "compare_graphs: input \"", name,
          "\" has no known rank");
  Dims dims;
  for (const Dim& d : *type.shape)
    dims.push_back(bind(d, std::ssize(dims), std::ssize(*type.shape), name));
  if (type.dtype == DType::string) {
    Tensor t(DType::string, dims);
    for (std::string& s : t.mutable_strings()) s = std::string(1, char('a' + rng.below(4)));
    return t;
  }
  Tensor t(DType::f64, dims);
  for (double& x : t.mutable_data<double>())
    x = is_float(type.dtype) ? draw(rng, kind, scale) : double(rng.below(2));
  return convert(t, type.dtype);
}

std::vector<Tensor> make_inputs(const Graph& graph, i64 index, u64 seed, i64 attempt,
                                double scale) {
  const i64 kind = index % kKinds;
  Binding bind(index % kBindings, attempt);
  Rng rng(seed * 1000003 + u64(index));
  std::vector<Tensor> inputs;
  for (ValueId id : graph.inputs()) {
    const Value& v = graph.value(id);
    inputs.push_back(make_value(v.type, v.name, rng, kind, scale, bind));
  }
  return inputs;
}

/// Rounding unit of an output, and 0 for types that must be equal.
double unit(DType type) {
  switch (type) {
    case DType::f32:
      return 0x1p-24;
    case DType::f16:
      return 0x1p-11;
    case DType::bf16:
      return 0x1p-8;
    default:
      return 0;
  }
}

/// What is gathered for one output over the samples of one kind.
struct Gathered {
  double e0 = 0, e1 = 0, largest = 0;
};

/// How little an output says: 2 when it overflows where the truth does not, 1 when it holds NaN.
int trouble(const Tensor& tensor, const Tensor& truth) {
  if (!is_float(tensor.dtype())) return 0;
  int worst = 0;
  for (i64 i = 0; i < tensor.size() && worst < 2; ++i) {
    const double y = tensor.as_double(i);
    if (!std::isfinite(y) && std::isfinite(truth.as_double(i))) worst = 2;
    if (std::isnan(y)) worst = std::max(worst, 1);
  }
  return worst;
}

std::string element(i64 i, double original, double optimized) {
  std::ostringstream text;
  text << "element " << i << " is " << optimized << ", was " << original;
  return text.str();
}

/// Adds one sample to `sum`; returns what is wrong beyond size of errors, or empty.
std::string gather(const Tensor& original, const Tensor& optimized, const Tensor& truth,
                   Gathered& sum) {
  if (original.dtype() != optimized.dtype())
    return "type is " + std::string(name(optimized.dtype())) + ", was " +
           std::string(name(original.dtype()));
  if (original.dims() != optimized.dims())
    return "shape is " + to_text(optimized.dims()) + ", was " + to_text(original.dims());
  if (is_container(original.dtype())) {
    std::string wrong;
    for (size_t i = 0; i < original.items().size() && wrong.empty(); ++i)
      wrong = gather(original.items()[i], optimized.items()[i], truth.items()[i], sum);
    return wrong;
  }
  if (!is_float(original.dtype())) {
    if (identical(original, optimized)) return "";
    for (i64 i = 0; i < original.size() && original.dtype() != DType::string; ++i)
      if (original.as_int(i) != optimized.as_int(i))
        return element(i, double(original.as_int(i)), double(optimized.as_int(i)));
    return "elements differ";
  }
  for (i64 i = 0; i < original.size(); ++i) {
    const double y0 = original.as_double(i), y1 = optimized.as_double(i), y = truth.as_double(i);
    if (!std::isfinite(y0) || !std::isfinite(y1)) {
      const bool agree = std::isnan(y0) ? std::isnan(y1) : y0 == y1;
      if (!agree) return element(i, y0, y1);
      continue;
    }
    if (!std::isfinite(y)) continue;
    sum.e0 = std::max(sum.e0, std::abs(y0 - y));
    sum.e1 = std::max(sum.e1, std::abs(y1 - y));
    sum.largest = std::max(sum.largest, std::abs(y));
  }
  return "";
}

void check_interfaces(const Graph& a, const Graph& b) {
  const auto same_input = [&](ValueId x, ValueId y) {
    const std::optional<Shape>&s = a.shape(x), &t = b.shape(y);
    return a.value(x).name == b.value(y).name && a.dtype(x) == b.dtype(y) &&
           s.has_value() == t.has_value() && (!s || to_text(*s) == to_text(*t));
  };
  bool equal = a.inputs().size() == b.inputs().size() && a.outputs().size() == b.outputs().size();
  for (size_t i = 0; equal && i < a.inputs().size(); ++i)
    equal = same_input(a.inputs()[i], b.inputs()[i]);
  for (size_t i = 0; equal && i < a.outputs().size(); ++i)
    equal = a.outputs()[i].name == b.outputs()[i].name;
  require(equal, ErrorKind::bad_argument,
          "compare_graphs: expected graphs with the same inputs and outputs");
}

/// What is wrong with the inferred shape of an output: another rank or number. Where only one
/// graph knows a dimension, or calls it by another expression, the samples decide.
std::string shape_difference(const std::optional<Shape>& original,
                             const std::optional<Shape>& optimized) {
  if (!original || !optimized) return "";
  bool equal = original->size() == optimized->size();
  for (size_t i = 0; equal && i < original->size(); ++i) {
    const std::optional<i64> a = (*original)[i].value(), b = (*optimized)[i].value();
    equal = !a || !b || *a == *b;
  }
  return equal ? "" : "shape is " + to_text(*optimized) + ", was " + to_text(*original);
}

struct Sample {
  std::vector<Tensor> inputs, original, truth;
};

std::string shapes_text(const std::vector<Tensor>& tensors) {
  std::string text;
  for (const Tensor& t : tensors) text += (text.empty() ? "" : ", ") + to_text(t.dims());
  return text.empty() ? "no inputs" : text;
}

/// The sample with values times `scale`, of the first dimensions from `attempt` on that the
/// original takes.
Sample make_sample(const Graph& original, i64 index, u64 seed, double scale, i64& attempt,
                   const Evaluator& evaluator) {
  Sample s;
  for (;; ++attempt) {
    s.inputs = make_inputs(original, index, seed, attempt, scale);
    try {
      s.original = evaluator(original, s.inputs, Precision::as_stored);
      break;
    } catch (const Error& e) {
      require(attempt + 1 < kAttempts, ErrorKind::unsupported,
              "compare_graphs: no sample sizes fit the inputs; with ", shapes_text(s.inputs),
              " the original says: ", e.what());
    }
  }
  s.truth = evaluator(original, s.inputs, Precision::widened);
  return s;
}

/// Inputs for which the original has an answer: other dimensions when the small ones are refused;
/// smaller values when float32 overflows where float64 does not, or when NaN goes away with them (a
/// polynomial of high degree takes infinities from each other; a logarithm keeps its NaN).
Sample usable_sample(const Graph& original, i64 index, u64 seed, const Evaluator& evaluator) {
  const i64 tries = index % kKinds == kKinds - 1 ? kWildTries : kTries;
  i64 attempt = 0;
  Sample best;
  int least = std::numeric_limits<int>::max();
  double scale = 1;
  for (i64 t = 0; t < tries && least > 0; ++t, scale /= 10) {
    Sample s = make_sample(original, index, seed, scale, attempt, evaluator);
    int worst = 0;
    for (size_t o = 0; o < s.original.size(); ++o)
      worst = std::max(worst, trouble(s.original[o], s.truth[o]));
    if (worst >= least) continue;
    least = worst;
    best = std::move(s);
  }
  return best;
}

}  // namespace

std::vector<Tensor> sample_inputs(const Graph& graph, i64 index, u64 seed) {
  return make_inputs(graph, index, seed, 0, 1);
}

EqualityReport compare_graphs(const Graph& original, const Graph& optimized, i64 samples, u64 seed,
                              const Evaluator& evaluator) {
  require(samples >= kKinds, ErrorKind::bad_argument, "compare_graphs: at least ", kKinds,
          " samples expected, found ", samples);
  check_interfaces(original, optimized);
  const Evaluator run = evaluator
                            ? evaluator
                            : [](const Graph& g, std::span<const Tensor> inputs,
                                 Precision precision) { return evaluate(g, inputs, precision); };
  EqualityReport report;
  report.samples = samples;
  const size_t outputs = original.outputs().size();
  report.outputs.resize(outputs);
  std::vector<std::vector<Gathered>> sums(outputs, std::vector<Gathered>(kKinds));
  std::vector<double> units(outputs, 0);
  for (size_t o = 0; o < outputs; ++o)
    report.outputs[o].reason = shape_difference(original.shape(original.outputs()[o].value),
                                                optimized.shape(optimized.outputs()[o].value));
  for (i64 index = 0; index < samples; ++index) {
    const Sample s = usable_sample(original, index, seed, run);
    std::vector<Tensor> fused;
    try {
      fused = run(optimized, s.inputs, Precision::as_stored);
    } catch (const Error& e) {
      for (OutputEquality& line : report.outputs)
        if (line.reason.empty())
          line.reason =
              std::string("does not run: ") + e.what() + " (sample " + std::to_string(index) + ")";
      continue;
    }
    for (size_t o = 0; o < outputs; ++o) {
      units[o] = unit(s.original[o].dtype());
      std::string wrong =
          gather(s.original[o], fused[o], s.truth[o], sums[o][size_t(index % kKinds)]);
      OutputEquality& line = report.outputs[o];
      if (!wrong.empty() && line.reason.empty())
        line.reason = wrong + " (sample " + std::to_string(index) + ")";
    }
  }
  for (size_t o = 0; o < outputs; ++o) {
    OutputEquality& line = report.outputs[o];
    line.name = original.outputs()[o].name;
    double worst = -1;
    for (i64 kind = 0; kind < kKinds; ++kind) {
      const Gathered& sum = sums[o][size_t(kind)];
      const double bound =
          units[o] > 0 ? 4 * sum.e0 + 16 * units[o] * sum.largest : 1e-10 * sum.largest;
      const double ratio = sum.e1 <= 0 ? 0
                           : bound > 0 ? sum.e1 / bound
                                       : std::numeric_limits<double>::infinity();
      if (ratio <= worst) continue;
      worst = ratio;
      line.e0 = sum.e0;
      line.e1 = sum.e1;
      line.bound = bound;
      line.largest = sum.largest;
      line.inputs = kKindNames[kind];
    }
    if (line.reason.empty() && !(line.e1 <= line.bound)) line.reason = "error above the bound";
    line.accepted = line.reason.empty();
    report.accepted = report.accepted && line.accepted;
  }
  return report;
}

std::string EqualityReport::text() const {
  std::ostringstream text;
  text.precision(3);
  for (const OutputEquality& o : outputs)
    text << o.name << ": e1 " << o.e1 << ", e0 " << o.e0 << ", bound " << o.bound << ", largest "
         << o.largest << " (inputs: " << o.inputs << "), "
         << (o.accepted ? std::string("accepted") : "REFUSED: " + o.reason) << "\n";
  return text.str();
}

}  // namespace sinter
