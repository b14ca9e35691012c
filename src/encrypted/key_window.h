// SPDX-License-Identifier: Apache-2.0
// Which keys of a mapped file are in memory while a program runs. The keys of an instruction are
// there while it runs, those of the next one are asked for meanwhile when they fit; when the budget
// does not hold more, the key whose next use is farthest away goes first (Belady 1966: no other
// order reads less). Only rotation keys are moved; the others stay.
#pragma once
#include <map>
#include <set>
#include <vector>

#include "ckks/context.h"
#include "encrypted/program.h"

namespace sinter::encrypted {

/// The rotations whose keys an instruction uses.
std::vector<i64> rotations_of(const EncryptedProgram& program, i64 instruction);

/// Bytes of the keys of a program in an expanded file.
struct KeyBytes {
  std::map<i64, i64> rotations;  ///< of each
  i64 others = 0;                ///< relinearisation and what bootstraps need
  i64 all = 0;
  i64 largest = 0;  ///< the most that one instruction uses, `others` among them
};
/// manifest: of the keys, which may be more than the program's
KeyBytes key_bytes(const EncryptedProgram& program, const ckks::KeyManifest& manifest);

/// Belongs to one program and one set of keys, which it borrows. thread: owned by one.
class KeyWindow {
 public:
  /// budget_bytes: of resident pages. At least the keys of one instruction are always there.
  /// repeats: the program will run again, so that its first keys are needed after its last ones.
  KeyWindow(const EncryptedProgram& program, const ckks::Context& context,
            const ckks::EvaluationKeys& keys, i64 budget_bytes, bool repeats);

  /// Call before every instruction, in the program's order.
  void before(i64 instruction);
  void set_repeats(bool repeats) { repeats_ = repeats; }
  i64 resident_bytes() const { return resident_bytes_; }

 private:
  void bring(i64 instruction, bool is_now);
  i64 next_use(i64 rotation, i64 after) const;

  const EncryptedProgram& program_;
  const ckks::Context& context_;
  const ckks::EvaluationKeys& keys_;
  KeyBytes bytes_;
  i64 budget_, resident_bytes_ = 0, now_ = 0;
  bool repeats_;
  std::vector<std::vector<i64>> needs_;   ///< [instruction] rotations
  std::map<i64, std::vector<i64>> uses_;  ///< rotation -> instructions
  std::set<i64> resident_;
};

}  // namespace sinter::encrypted
