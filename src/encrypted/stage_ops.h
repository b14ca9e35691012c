// SPDX-License-Identifier: Apache-2.0
// The steps of every stage that cost something, without levels: counted once per packing, as
// assemble() will emit them, so that hundreds of candidates can be costed in the time of one.
#pragma once
#include <vector>

#include "ckks/keys.h"
#include "encrypted/cost.h"
#include "encrypted/diagonals.h"
#include "encrypted/stage.h"

namespace sinter::encrypted {

struct StageOp {
  Opcode op = Opcode::rescale;
  bool is_below = false;       ///< behind the rescale, at the level of the stage's value
  MapShape map;                ///< linear
  i64 period = 0;              ///< add_vector; of one image
  std::vector<i64> rotations;  ///< of one image
};

/// A value. thread: safe to share
class StageOps {
 public:
  /// cost  counting the diagonals of every map at every period that assemble() considers
  StageOps(const StageGraph& graph, const std::vector<Layout>& layouts, i64 slots,
           const MapCosts& costs = {});

  /// Of the stage's value, images of a batch interleaved as they will be.
  i64 period(i32 stage) const { return image_period(stage) * batch_; }
  const std::vector<StageOp>& ops(i32 stage) const { return stages_[size_t(stage)].ops; }
  /// Bytes of the diagonals of all maps as a program keeps them: a byte per slot, about.
  i64 program_bytes() const { return program_bytes_; }

  /// Of a stage whose value is at level - 1.
  double seconds(i32 stage, int level, const KeySwitching& ring, const UnitCosts& units,
                 int threads = 1) const;
  i64 plaintext_bytes(i32 stage, int level, const KeySwitching& ring) const;
  /// The largest memory that one of its steps takes beside values and keys.
  i64 work_bytes(i32 stage, int level, const KeySwitching& ring) const;
  void add_keys(i32 stage, int level, ckks::KeyManifest& keys) const;

 private:
  struct Counted {
    i64 period = 0;  // of one image
    std::vector<StageOp> ops;
  };
  i64 image_period(i32 stage) const { return stages_[size_t(stage)].period; }
  void count_linear(const Stage& stage, i32 k, const std::vector<Layout>& layouts,
                    const MapCosts& costs);
  void add_folds(std::vector<StageOp>& ops, i64& period, i64 to, bool is_below) const;

  i64 slots_, batch_, program_bytes_ = 0;  // slots of one image
  std::vector<Counted> stages_;
};

}  // namespace sinter::encrypted
