// SPDX-License-Identifier: Apache-2.0
// Where the elements of a tensor sit in the slots: multiplexed packing. Channel c of a geometry of
// gap g is c = u g^2 + ry g + rx, and element (member, c, y, x) sits in slot
//
//   (u * members + member) * plane + (y g + ry) * plane_width + (x g + rx)
//
// so a stride leaves the plane as large as it was and moves channels into the gaps, and the members
// of a packed branch lie between channel block and pixel: a distance of channels is the same number
// of slots for every member, and wraps around at the period for all of them at once.
// With `padded`, plane and members are rounded up to powers of two, which makes channel distances
// divide the period.
//
// Source: the multiplexed packing of Lee et al., ICML 2022, in the form that Orion uses.
#pragma once
#include "encrypted/stage.h"

namespace sinter::encrypted {

struct Layout {
  i64 footprint = 0;      ///< power of two above every slot
  std::vector<i32> slot;  ///< of each element
};

i64 power_of_two_at_least(i64 n);

/// Slots from the first to the last that the tensor touches, as a power of two.
i64 footprint(const Geometry& geometry, bool padded);
Layout layout_of(const Geometry& geometry, bool padded);

/// One geometry for the operands and the result of every product, and layouts for all stages: those
/// of one image, in slots / graph.batch slots.
/// throws  Error(unsupported) naming the stage that needs more and the log_n that would hold it
std::vector<Layout> lay_out(StageGraph& graph, i64 slots);

}  // namespace sinter::encrypted
