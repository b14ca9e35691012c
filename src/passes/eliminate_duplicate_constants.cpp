// SPDX-License-Identifier: Apache-2.0
// Keeps one of constants that are equal in type, dims and bytes.
//
//   before   y = Conv(x, W1);  z = Conv(x, W2)      W1 and W2 hold the same bytes
//   after    y = Conv(x, W1);  z = Conv(x, W1)
//
// Bytes are compared, not values: 0.0 and -0.0 stay apart, NaNs with the same bits are one. A
// constant is hashed once a run, and only when another one has its type and dims; a hit is verified
// byte by byte. The first one by id stays. Exact (E0).

#include <map>
#include <tuple>

#include "base/hash.h"
#include "passes/passes.h"

namespace sinter {
namespace {

using Kind = std::pair<DType, Dims>;

/// Replaces the later ones of equal constants among `group`, all of one type and dims.
i64 merge(Graph& graph, const std::vector<ValueId>& group) {
  i64 merged = 0;
  std::multimap<u64, ValueId> seen;
  for (ValueId v : group) {
    const Tensor& tensor = *graph.constant(v);
    const u64 hash = short_hash(tensor.raw());
    ValueId kept;
    const auto [first, last] = seen.equal_range(hash);
    for (auto it = first; it != last && !kept.valid(); ++it)
      if (identical(*graph.constant(it->second), tensor)) kept = it->second;
    if (!kept.valid()) {
      seen.emplace(hash, v);
      continue;
    }
    graph.replace_uses(v, kept);
    graph.erase_constant(v);
    ++merged;
  }
  return merged;
}

}  // namespace

PassStats eliminate_duplicate_constants(Graph& graph) {
  PassStats stats;
  std::map<Kind, std::vector<ValueId>> groups;
  for (ValueId v : graph.constants()) {
    const Tensor& tensor = *graph.constant(v);
    if (tensor.dtype() != DType::string) groups[{tensor.dtype(), tensor.dims()}].push_back(v);
  }
  for (const auto& [kind, group] : groups)
    if (group.size() > 1) stats.changed += merge(graph, group);
  return stats;
}

}  // namespace sinter
