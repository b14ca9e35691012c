// SPDX-License-Identifier: Apache-2.0
// Random graphs that rewrites look for. A snippet is a small pattern of one family of rules with
// its parameters at random, sometimes one off: a constant that is no constant, another value, a
// shape that is right-aligned elsewhere, another axis. A graph is one to three inputs and some
// snippets that read any value made before; extra outputs and readers get in the way of rules.
//
// A snippet whose nodes refuse each other's shapes stops half way: what it added stays, dead or
// read by nobody.
#pragma once
#include <functional>
#include <span>

#include "base/random.h"
#include "graph/graph.h"

namespace sinter::fuzzing {

/// The graph under construction, and the choices that all snippets share.
class Gen {
 public:
  explicit Gen(u64 seed);

  // -- choices ---------------------------------------------------------------------------------
  i64 below(i64 n) { return rng.below(n); }
  i64 between(i64 low, i64 high) { return low + rng.below(high - low + 1); }
  bool coin(i64 one_in = 2) { return rng.below(one_in) == 0; }
  template <class T>
  T one_of(std::initializer_list<T> choices) {
    return choices.begin()[rng.below(i64(choices.size()))];
  }
  std::vector<i64> permutation(i64 n);

  // -- values ----------------------------------------------------------------------------------
  /// A float value made before, or a new input: of this rank (-1: any), with these axes numbers.
  ValueId pick(i64 rank = -1, std::vector<i64> numbers = {});
  ValueId pick_static(i64 rank = -1);
  /// Adds a value that later snippets may read.
  ValueId put(ValueId v);
  ValueId input(DType type, Shape shape);
  ValueId input(Shape shape) { return input(type, std::move(shape)); }
  i64 rank(ValueId v) const;
  /// The number of that axis (from the front, or negative); Error when it is none.
  i64 dim(ValueId v, i64 axis) const;
  Dims dims(ValueId v) const;

  // -- constants: initializers or Constant nodes, at times inputs ------------------------------
  ValueId constant(Tensor t, bool may_be_input = true);
  ValueId random(Dims dims, double mean = 0, double spread = 1);
  ValueId positive(Dims dims);  ///< uniform in [0.5, 1.5)
  ValueId fill(Dims dims, double value);
  /// [] or [1], at times another rank; at times another number.
  ValueId scalar(double value);
  ValueId number(double value) { return fill({}, value); }
  ValueId ints(std::vector<i64> values) { return ints({std::ssize(values)}, values); }
  ValueId ints(Dims dims, std::vector<i64> values);
  /// Along axis 1 in any way to write it, or something that only looks like that.
  ValueId channel(ValueId x, bool away_from_zero);

  // -- nodes -----------------------------------------------------------------------------------
  ValueId add(Op op, std::vector<ValueId> inputs, Attributes attributes = {}) {
    return graph.add(op, std::move(inputs), std::move(attributes));
  }
  std::vector<ValueId> add_many(Op op, std::vector<ValueId> inputs, i64 outputs,
                                Attributes attributes = {});
  ValueId commuted(Op op, ValueId a, ValueId b) {
    return coin() ? add(op, {a, b}) : add(op, {b, a});
  }
  ValueId affine(ValueId x);  ///< one node of per-channel arithmetic
  ValueId batch_normalization(ValueId x);
  ValueId unary(ValueId x);  ///< any cheap element-wise node
  ValueId conv(ValueId x);

  Graph graph;
  Rng rng;
  DType type;  ///< of floats

 private:
  i64 main_inputs_ = 0;
  std::vector<ValueId> pool_;
};

struct Snippet {
  std::string_view name;
  void (*build)(Gen&);
};
std::span<const Snippet> linear_snippets();  ///< 4.5, 4.6, 4.8
std::span<const Snippet> layout_snippets();  ///< 4.3, 4.7, shapes
std::span<const Snippet> value_snippets();   ///< 4.3, 4.4, 4.9, 4.10

/// A graph that verifies. `only`: the name of the one snippet to use, empty for all.
Graph random_rule_graph(u64 seed, std::string_view only = "");

Tensor float_tensor(DType type, Dims dims, const std::function<double()>& next);

}  // namespace sinter::fuzzing
