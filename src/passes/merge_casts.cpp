// SPDX-License-Identifier: Apache-2.0
// Merges two Casts in a row.
//
//   before   y = Cast(Cast(x, to=T2), to=T3)        x of type T1
//   after    y = Cast(x, to=T3)                     y = x when T3 is T1
//
// Legal when T2 holds every value of T1, so that the first Cast loses nothing. f64 -> f32 -> f16
// is not: it rounds twice. Integers that pass through floats must fit T3, because a float that does
// not fit has no defined value while an integer wraps around. Never through bool. The first Cast
// stays for its other readers; the node count does not grow. Exact (E0).
#include "passes/detail/edit.h"
#include "passes/detail/facts.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

bool is_signed(DType t) {
  return t == DType::i8 || t == DType::i16 || t == DType::i32 || t == DType::i64;
}

/// Bits of the significand, the leading one included.
i64 precision(DType t) {
  return t == DType::f64 ? 53 : t == DType::f32 ? 24 : t == DType::f16 ? 11 : 8;
}

/// True when every value of `from` is a value of `to`.
bool holds_all_of(DType to, DType from) {
  if (from == to) return true;
  const i64 from_bits = 8 * element_size(from), to_bits = 8 * element_size(to);
  if (from == DType::boolean) return is_integer(to) || is_float(to);
  if (is_float(from) && is_float(to))
    return to == DType::f64 || (to == DType::f32 && from_bits < 32);
  if (!is_integer(from)) return false;
  const i64 digits = from_bits - i64(is_signed(from));
  // float16 ends at 65504: 8-bit integers only. The others reach further than their precision.
  if (is_float(to)) return digits <= precision(to);
  if (!is_integer(to)) return false;
  if (is_signed(from)) return is_signed(to) && from_bits <= to_bits;
  return is_signed(to) ? from_bits < to_bits : from_bits <= to_bits;
}

/// Cast from `a` through `b` to `c` is the Cast from `a` to `c`.
bool loses_nothing(DType a, DType b, DType c) {
  const bool wraps = is_integer(a) && is_float(b) && is_integer(c) && !holds_all_of(c, a);
  return holds_all_of(b, a) && !wraps;
}

}  // namespace

PassStats merge_casts(Graph& graph, const PassOptions&) {
  PassStats stats;
  for (NodeId id : graph.nodes_of(Op::Cast)) {
    if (!graph.alive(id)) continue;
    const Node second = graph.node(id);
    const Node* first = passes::producer_of_kind(graph, second.inputs[0], "Cast");
    if (first == nullptr || graph.use_count(second.outputs[0]) == 0) continue;
    const ValueId x = first->inputs[0], y = second.outputs[0];
    const NodeId first_id = graph.value(second.inputs[0]).producer;
    if (!loses_nothing(graph.dtype(x), graph.dtype(second.inputs[0]), graph.dtype(y))) {
      stats.skipped.push_back({graph.describe(id), "the first Cast loses values"});
      continue;
    }
    Rewrite rewrite(graph, "merge_casts", {first_id, id});
    if (graph.dtype(x) == graph.dtype(y) && graph.dtype(x) != DType::unknown) {
      passes::replace_and_erase(graph, y, x);
    } else {
      graph.set_input(id, 0, x);
      passes::erase_if_dead(graph, first_id);
    }
    if (rewrite.commit()) ++stats.changed;
  }
  return stats;
}

}  // namespace sinter
