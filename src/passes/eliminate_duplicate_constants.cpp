// SPDX-License-Identifier: Apache-2.0
// Keeps one of constants that are equal in type, dims and bytes.
//
//   before   y = Conv(x, W1);  z = Conv(x, W2)      W1 and W2 hold the same bytes
//   after    y = Conv(x, W1);  z = Conv(x, W1)
//
// Bytes are compared, not values: 0.0 and -0.0 stay apart, NaNs with the same bits are one. No
// constant is hashed as a whole: those of one type and shape are told apart by a few samples of
// their bytes, and only those with equal samples are compared, up to the first difference. So the
// cost is that of reading the duplicates once. The first one by id stays. Exact (E0).

#include <algorithm>
#include <map>
#include <tuple>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace sinter {
namespace {

constexpr size_t kSamples = 16;  // places, evenly spread, of 8 bytes each

/// A number from the samples: equal bytes give equal numbers.
u64 sample(std::span<const std::byte> bytes) {
  u64 mixed = bytes.size();
  const size_t places = std::min(kSamples, bytes.size() / 8 + 1);
  for (size_t i = 0; i < places; ++i) {
    const size_t last = bytes.size() - std::min<size_t>(bytes.size(), 8);
    const size_t at = places == 1 ? 0 : last / (places - 1) * i;
    for (size_t k = at; k < std::min(at + 8, bytes.size()); ++k)
      mixed = (mixed ^ u64(bytes[k])) * 0x100000001B3u;
    mixed ^= mixed >> 32;
  }
  return mixed;
}

using Kind = std::tuple<DType, Dims, u64>;

}  // namespace

PassStats eliminate_duplicate_constants(Graph& graph, const PassOptions&) {
  PassStats stats;
  std::map<Kind, std::vector<ValueId>> groups;
  for (ValueId v : graph.constants()) {
    const Tensor& tensor = *graph.constant(v);
    if (element_size(tensor.dtype()) == 0) continue;  // strings and containers
    std::vector<ValueId>& group = groups[{tensor.dtype(), tensor.dims(), sample(tensor.raw())}];
    const auto kept = std::find_if(group.begin(), group.end(), [&](ValueId k) {
      return identical(*graph.constant(k), tensor);
    });
    if (kept == group.end()) {
      group.push_back(v);
      continue;
    }
    Rewrite rewrite(graph, "eliminate_duplicate_constants", graph.value(v).readers);
    graph.replace_uses(v, *kept);
    graph.erase_constant(v);
    if (rewrite.commit()) ++stats.changed;
  }
  return stats;
}

}  // namespace sinter
