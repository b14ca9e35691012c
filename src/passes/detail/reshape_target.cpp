// SPDX-License-Identifier: Apache-2.0
#include "passes/detail/reshape_target.h"

#include <algorithm>

namespace sinter::passes {

std::optional<std::vector<i64>> reshape_target(const Shape& in, const Shape& out) {
  std::vector<i64> target(out.size());
  bool inferred = false;
  for (size_t i = 0; i < out.size(); ++i) {
    const std::optional<i64> number = out[i].value();
    if (number && *number > 0) {
      target[i] = *number;
    } else if (!number && i < in.size() && same(out[i], in[i])) {
      target[i] = 0;
    } else if (!number && !inferred) {
      target[i] = -1;
      inferred = true;
    } else {
      return std::nullopt;
    }
  }
  return target;
}

bool copies_beside_inferred(std::span<const i64> target) {
  return std::find(target.begin(), target.end(), 0) != target.end() &&
         std::find(target.begin(), target.end(), -1) != target.end();
}

}  // namespace sinter::passes
