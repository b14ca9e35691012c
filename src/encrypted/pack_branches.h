// SPDX-License-Identifier: Apache-2.0
// Horizontal fusion: parallel branches of the same structure and other weights become one branch
// over a tensor of several members, so that they share ciphertexts, rotations and products. A sum
// over branches becomes one matrix.
//
// Which stages belong together is found by colour refinement: a stage's colour is its kind and
// geometry, then again and again the colours of what it reads and of what reads it, until nothing
// splits. Stages of one colour stand at the same height, so none reads another. A class of products
// is kept only when its members read the members of the operand classes one to one. A class of more
// members than fit one ciphertext is cut into groups, each class by its own size.
#pragma once
#include "encrypted/stage.h"

namespace sinter::encrypted {

/// Packs as many members together as fit `slots`.
/// out  the largest number of members packed; 1 when nothing was
i64 pack_branches(StageGraph& graph, i64 slots);

}  // namespace sinter::encrypted
