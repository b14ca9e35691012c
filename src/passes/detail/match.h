// SPDX-License-Identifier: Apache-2.0
// Patterns of operators, written the way a formula is:
//
//   Mul(x, Clip(Add(x, 3), 0, $h))
//
//   Name(...)   a node of that operator whose first output is meant; further outputs must be
//   unused.
//               The operands of Add, Mul, Max, Min are tried in both orders.
//   x           a value, the same one wherever the name appears
//   $h          a constant of one element; its number, the same wherever the name appears
//   3  -0.5     a constant of one element with that number, up to the rounding of its type
//   _           an absent optional input; trailing ones need not be written
//   ?           anything, or nothing
//   {A|B}       either
//   @d=A; B     B, in which @d stands for A
//
// Interior nodes must have no reader outside the match and must not be graph outputs, so that they
// die with the root. A shared interior node (d in d*d) may match several times; two nodes that
// compute the same may stand for one. Attributes are not looked at: the caller does.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace sinter::passes {

struct Match {
  std::vector<NodeId> nodes;  ///< root first, no repetition
  std::map<std::string, ValueId, std::less<>> values;
  std::map<std::string, double, std::less<>> numbers;
  i64 scalar_rank = 0;  ///< the largest rank among the constants of one element

  ValueId value(std::string_view name) const { return values.find(name)->second; }
  double number(std::string_view name) const { return numbers.find(name)->second; }
  bool has(std::string_view name) const { return values.find(name) != values.end(); }
  /// The matched nodes of that operator, root first.
  std::vector<NodeId> nodes_of(const Graph& graph, Op op) const;
};

class Pattern {
 public:
  /// throws  Error(internal) when `text` is not a pattern
  explicit Pattern(std::string_view text);
  ~Pattern();
  Pattern(Pattern&&) noexcept;

  Op root() const;
  std::optional<Match> match(const Graph& graph, NodeId root) const;

 private:
  struct Term;
  struct Parser;
  struct Solver;
  std::shared_ptr<const Term> term_;
};

/// The number of a constant with one element, of a numeric type; nullopt otherwise.
std::optional<double> scalar(const Graph& graph, ValueId value);
/// The same number once both are rounded to `type` (two units in the last place allowed).
bool close_in(DType type, double a, double b);
/// The integers of a constant; nullopt when `value` is none, an empty list when it is absent.
std::optional<std::vector<i64>> integers(const Graph& graph, ValueId value);
/// Input `i`, or an invalid id when the node has fewer.
inline ValueId input(const Node& node, size_t i) {
  return i < node.inputs.size() ? node.inputs[i] : ValueId{};
}
/// True when `now` may stand for `old`: same element type, same rank, and every dimension the same
/// or unknown in both. With an unknown rank the match must not hold a scalar constant of rank above
/// 0, which could add dimensions.
bool may_stand_for(const Graph& graph, ValueId now, ValueId old, const Match& match);

}  // namespace sinter::passes
