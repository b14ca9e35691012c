// SPDX-License-Identifier: Apache-2.0
#include "passes/bisect.h"

#include <utility>

namespace sinter {
namespace {

struct Prefix {
  Graph graph;
  std::vector<RewriteRecord> rewrites;
};

Prefix first_rewrites(const Graph& original, OptimizeOptions options, i64 count) {
  options.limit = count;
  Prefix prefix{original.clone(), {}};
  prefix.rewrites = optimize(prefix.graph, options).rewrites;
  return prefix;
}

}  // namespace

std::optional<Bisection> bisect(const Graph& original, const OptimizeOptions& options, i64 rewrites,
                                const std::function<bool(const Graph&)>& accepts) {
  require(rewrites >= 0, ErrorKind::bad_argument, "bisect: expected at least 0 rewrites, found ",
          rewrites);
  Prefix right = first_rewrites(original, options, 0);
  Prefix wrong = first_rewrites(original, options, rewrites);
  if (accepts(wrong.graph)) return std::nullopt;
  if (!accepts(right.graph)) return Bisection{-1, {}, original.clone(), std::move(right.graph)};
  while (wrong.rewrites.size() > right.rewrites.size() + 1) {
    const i64 middle = (std::ssize(right.rewrites) + std::ssize(wrong.rewrites)) / 2;
    Prefix tried = first_rewrites(original, options, middle);
    SINTER_ASSERT(std::ssize(tried.rewrites) == middle);
    const bool accepted = accepts(tried.graph);
    (accepted ? right : wrong) = std::move(tried);
  }
  SINTER_ASSERT(wrong.rewrites.size() > right.rewrites.size());
  return Bisection{std::ssize(wrong.rewrites) - 1, std::move(wrong.rewrites.back()),
                   std::move(right.graph), std::move(wrong.graph)};
}

}  // namespace sinter
