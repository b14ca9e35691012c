// SPDX-License-Identifier: Apache-2.0
// What every pass needs when it edits: replacing a result and dropping what dies with it, asking
// whether a value has one reader, and making float constants from doubles.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace sinter::passes {

/// Erases `node` when none of its outputs is used, then its producers that died with it. Constants
/// stay (eliminate_unused_initializers). Returns the number of nodes erased.
i64 erase_if_dead(Graph& graph, NodeId node);

/// Readers and outputs of `from` take `to`; the producer of `from` goes when nothing else needs it.
void replace_and_erase(Graph& graph, ValueId from, ValueId to);

/// Exactly one use, and that by a node: the value may vanish (the specification's U1).
bool has_one_reader(const Graph& graph, ValueId value);
/// "the result of Conv "a" has 3 readers" or "... is a graph output"; empty when has_one_reader.
std::string why_not_one_reader(const Graph& graph, ValueId value);

/// True when no output of `node` but the first is used: statistics, masks, indices do not matter.
bool only_first_output_used(const Graph& graph, const Node& node);

/// f32, f64, f16 or bf16, the types that passes fold in.
bool is_foldable(DType type);

/// Elements as doubles.
std::vector<double> doubles(const Tensor& tensor);

/// The doubles rounded once to `type`, one of the foldable ones.
Tensor rounded(DType type, Dims dims, std::span<const double> values);

/// False when an element, rounded to `type`, is not finite.
bool all_finite(DType type, std::span<const double> values);

/// True when rounding to `type` would leave nothing but subnormal numbers and zeros of numbers that
/// are not zero: their digits would be lost, and a later factor could bring them back into sight.
bool is_subnormal(DType type, std::span<const double> values);

/// True when `scale` holds a nonzero factor below the normal numbers of `type`: what it scales
/// loses digits.
bool has_subnormal_scale(DType type, std::span<const double> scale);

/// Why `values`, which replace `old`, may not be rounded to `type`: one would not be finite, all of
/// them would be subnormal, or in f16 and bf16 one that was normal would be. "" when they may.
std::string rounding_refusal(DType type, std::span<const double> values,
                             std::span<const double> old);

/// True when a private copy of `constant` may be made: it dies (this is its only use) or the copy
/// costs at most 1 MiB.
bool may_copy(const Graph& graph, ValueId constant);

/// True when a tensor of shape `from` broadcasts to `to` without enlarging it: rank at most that
/// of `to` and every right-aligned dimension 1 or the same.
bool broadcasts_into(const Shape& from, const Shape& to);

/// Negative axes count from the end.
inline i64 normalized(i64 axis, i64 rank) { return axis < 0 ? axis + rank : axis; }

}  // namespace sinter::passes
