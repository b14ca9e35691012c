// SPDX-License-Identifier: Apache-2.0
// Batches: several images share the ciphertexts of one run. Image i of K has its value of slot s in
// slot s K + i, so everything that moves by r slots moves by r K: a rotation never carries a value
// from one image to another, not even around the end, and a diagonal of period p becomes one of
// period p K that repeats every value K times. There are as many diagonals, rotations, keys and
// stored weights as for one image; only a diagonal's period, and so the time to encode it, grows.
// (Images one behind the other would need every diagonal twice, for what wraps around.)
#pragma once
#include "encrypted/program.h"

namespace sinter::encrypted {

/// Makes a program for one image, assembled for slots / images slots, one for `images` images.
/// Bootstraps are left as they are: their slots count all images from the start.
/// images  a power of two; every period times images at most program.slots()
void interleave(EncryptedProgram& program, i64 images);

}  // namespace sinter::encrypted
