// SPDX-License-Identifier: Apache-2.0
// Whole-model verification: does the optimized graph compute what the original does, as well as
// float32 can tell?
//
//   y64 = original in float64 (the truth)      e0 = max |original - y64|   its own rounding noise
//                                              e1 = max |optimized - y64|
//   accepted  iff  e1 <= 4 e0 + 16 u max |y64|        u = 2^-24 for float32 outputs
//
// The maxima run over all samples of one kind of input, for each output apart. A rewrite may so be
// as noisy as the original times four, and a wrong broadcast fails by orders of magnitude. Four
// kinds of input take turns: standard normal, uniform in [-1, 1), a mix of -1, 0 and 1, and normal
// times 100; all of them times less where the original itself overflows. Symbolic dimensions are
// bound to small distinct primes, two ways, and to 1; where the original refuses these, to larger
// primes, then all to one power of two, 32, 8, 4, 2, 1. Float64 outputs have no wider truth: e0 is
// 0 and the bound 1e-10 max |y64|. Integer and boolean outputs must be equal; NaN and infinities
// must be at the same places.
//
// Source: the noise-floor rule, see docs/passes.md.
#pragma once
#include <functional>

#include "graph/evaluate.h"

namespace sinter {

struct OutputEquality {
  std::string name;
  bool accepted = true;
  std::string reason;                  ///< empty when accepted
  double e0 = 0, e1 = 0, bound = 0;    ///< of the kind of input with the largest e1 / bound
  double largest = 0;                  ///< max |y64| of that kind
  std::string_view inputs = "normal";  ///< that kind
};

struct EqualityReport {
  bool accepted = true;
  i64 samples = 0;
  std::vector<OutputEquality> outputs;
  /// "logits: e1 3.1e-07, e0 2.9e-07, bound 1.2e-06, accepted" a line.
  std::string text() const;
};

/// Computes the outputs of a graph, for callers that have something faster than evaluate().
using Evaluator =
    std::function<std::vector<Tensor>(const Graph&, std::span<const Tensor>, Precision)>;

/// Compares two graphs with equal interfaces on `samples` random inputs (at least 4; 12 run every
/// kind of input with every binding of the symbols).
/// throws  Error(bad_argument) when samples < 4 or the interfaces differ (inputs: names, types and
///         shapes; outputs: names); Error(unsupported) when the original runs with none of the
///         sample sizes
/// cost    3 evaluations per sample
EqualityReport compare_graphs(const Graph& original, const Graph& optimized, i64 samples, u64 seed,
                              const Evaluator& evaluator = {});

/// One tensor per graph input: the kind of input and the binding that sample `index` stands for.
std::vector<Tensor> sample_inputs(const Graph& graph, i64 index, u64 seed);

}  // namespace sinter
