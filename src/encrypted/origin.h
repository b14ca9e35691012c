// SPDX-License-Identifier: Apache-2.0
// What a stage's elements are in terms of a value of the graph, kept through every rewrite:
//
//   stage[e] = scale[e] * value[element[e]] + offset[e]
//
// so that what is computed, and later decrypted, can be compared layer by layer with the network as
// its maker knows it.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "base/types.h"

namespace sinter::encrypted {

struct Origin {
  std::string value;                  ///< name of a value of the graph; empty = not known
  std::vector<i64> element;           ///< empty = e
  std::vector<double> scale, offset;  ///< empty = 1, 0

  /// The stage's `size` elements (and no more of `graph_value` than they need).
  std::vector<double> expected(std::span<const double> graph_value, i64 size) const;
};

/// One for each member of a stage, of equal sizes; empty = not known.
using Origins = std::vector<Origin>;

/// Of factor .* v and v + shift, element by element over all members; an empty vector changes
/// nothing.
Origins scaled(Origins of_v, std::span<const double> factor);
Origins shifted(Origins of_v, std::span<const double> shift);
/// Of u, where v = d .* u + bias and every d != 0.
Origins before_affine(Origins of_v, std::span<const double> d, std::span<const double> bias);
/// Of v[element[e]]; v of one member and `size` elements at most.
Origins selected(Origins of_v, std::span<const i64> element);

}  // namespace sinter::encrypted
