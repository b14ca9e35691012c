// SPDX-License-Identifier: Apache-2.0
// Moving an affine map y = f(x), f = a*x + b per axis (affine_map.h), out of the graph: back to
// what produces x, or forward to everything that reads y, through nodes that commute with it, until
// constants take it in. Every success removes exactly one node, the map itself.
//
//   back      f(q(u, v)) = q'(f1(u), f2(v))     e.g. f(Relu(u)) = Relu(f(u)) when a > 0, b = 0
//   forward   q(f(u), v) = f'(q'(u, v))         e.g. f(u) + v = a (u + (v + b)/a)  for a constant v
//   the end   the constants of Conv, ConvTranspose, Gemm, MatMul, BatchNormalization, Add, Mul, ...
//
// The formulas of the linear operators are in fold_output.cpp (back) and fold_input.cpp (forward),
// those of the others in fold_back.cpp and fold_forward.cpp. New constants are computed in double
// and rounded once; they are added beside the old ones, which other nodes may share.
#pragma once
#include <functional>
#include <span>

#include "passes/detail/affine_map.h"

namespace sinter::passes {

/// What a node becomes.
struct Change {
  std::vector<std::pair<i64, Tensor>> constants;  ///< input index, new constant
  std::vector<std::pair<std::string, std::optional<AttributeValue>>> attributes;  ///< none: erased
  bool becomes_gemm = false;                                                      ///< a MatMul
};

/// A change that is computed only once the whole way is found. `make` returns why it cannot be made
/// (a constant that is not finite, say), or "".
struct Edit {
  NodeId node;
  std::function<std::string(Change&)> make;
};

/// A map that an input of a node must take, in the coordinates of a tensor of `rank` (that of the
/// node's result where operands broadcast); the input may be a constant of lower rank.
struct Need {
  i64 input;
  AffineMap map;
  i64 rank = 0;
};

/// One way to take a map at a result: change the node and give maps to its inputs.
struct Raised {
  std::vector<Edit> edits;
  std::vector<Need> needs;
};
/// The ways for `map` at output `output` of `node`, best first; none: `refusal` says why.
std::vector<Raised> raise_through(const Graph& graph, NodeId node, i64 output, const AffineMap& map,
                                  std::string& refusal);

/// A map taken at an input: the node changes, and maps are left on some of its outputs.
struct Sunk {
  std::string refusal;
  std::vector<Edit> edits;
  std::vector<std::pair<i64, AffineMap>> rest;
};
Sunk sink_through(const Graph& graph, NodeId node, i64 input, const AffineMap& map);

/// Conv, ConvTranspose, Gemm and MatMul take `map` at their result; nothing is left.
std::vector<Raised> raise_into_linear(const Graph& graph, NodeId node, const AffineMap& map,
                                      std::string& refusal);
/// The same operators take `map` at input 0 or 1.
Sunk sink_into_linear(const Graph& graph, NodeId node, i64 input, const AffineMap& map);

/// The map `map` along an axis of `from` seen after a reshape to `to`. nullopt when it does not
/// vary along one axis there, or when dimensions are not known.
std::optional<AffineMap> reshaped_map(const AffineMap& map, const Shape& from, const Shape& to);

/// map(constant) for a constant that broadcasts into a tensor of `rank`; bigger where the map
/// varies and the constant does not. Returns why it cannot, or "".
std::string map_constant(const Tensor& constant, DType type, const AffineMap& map, i64 rank,
                         Tensor& result);

/// The edit that makes the constant input `input` of `node` map(constant).
Edit map_operand(const Graph& graph, NodeId node, i64 input, AffineMap map, i64 rank);

/// How far and where to.
struct FoldLimits {
  i64 between = 32;                       ///< the most nodes between the map and its end
  std::span<const Op> ends = {};          ///< operators of the neighbour; empty: any
  std::string_view rule = "fold_affine";  ///< for the journal
};

/// Folds the map back and removes its node. "" when done, else why not; the graph is then
/// unchanged. nullopt when the neighbour is none of limits.ends, or when the journal refused.
std::optional<std::string> fold_back(Graph& graph, const AffineNode& affine,
                                     const FoldLimits& limits);
/// Folds the map into everything that reads it; the rest as fold_back.
std::optional<std::string> fold_forward(Graph& graph, const AffineNode& affine,
                                        const FoldLimits& limits);

}  // namespace sinter::passes
