// SPDX-License-Identifier: Apache-2.0
// The baby counts of all maps of a program, chosen together: a rotation that another map or a fold
// needs anyway costs a map no key. What is minimised is
//
//   predicted seconds of the maps + w * bytes of all rotation keys
//
// where a key counts once, at the highest level at which it is used. The search is descent from the
// program's own choice: one map at a time, all maps of equal diagonals at a time, and all maps at a
// time, as long as anything gets better. Deterministic.
#pragma once
#include "encrypted/cost.h"
#include "encrypted/program.h"

namespace sinter::encrypted {

struct KeyChoice {
  /// What a gigabyte of keys (in memory, 10^9 bytes) is worth in seconds of one image on one
  /// thread. At 1 the keys of CryptoFaceNet4 shrink by a tenth for half a per cent of its
  /// time.
  double seconds_per_gigabyte = 1;
  /// Also let maps take Horner's form: one key for all giants, which must then be summed one after
  /// the other.
  bool may_use_horner = false;
};

/// Sets baby_count and form of every map; everything else of the program stays, and its manifest is
/// to be made anew (needed_keys).
/// units   speed of the machine that will run the program, at the program's ring
/// cost    some 100 plans per map with diagonals of its own; a second for twenty maps of 900
/// throws  Error(bad_argument) for a negative weight
void choose_babies(EncryptedProgram& program, const UnitCosts& units, const KeyChoice& choice);

}  // namespace sinter::encrypted
