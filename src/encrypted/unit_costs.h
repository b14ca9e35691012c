// SPDX-License-Identifier: Apache-2.0
// Seconds of the units of work.h on one machine, per ring size, and how much two threads gain.
// Built in: figures of one processor with AVX2 and with AVX-512 IFMA. measure_units (calibrate.h)
// makes a table of the machine at hand.
#pragma once
#include <string>
#include <vector>

#include "base/cpu.h"
#include "encrypted/work.h"

namespace sinter::encrypted {

/// What scales with threads differently.
enum class WorkKind { linear, key_switch, rescale, encode };
inline constexpr size_t kWorkKindCount = 4;
std::string_view name(WorkKind kind);

struct UnitCosts {
  i64 log_n = 16;
  std::array<double, kUnitCount> seconds{};  ///< of each unit on one thread
  /// Of one thread's time over that of two, by the clock.
  std::array<double, kWorkKindCount> two_threads = {1.82, 1.67, 1.7, 1.85};

  double of(const Work& work) const;
  /// The same on `threads` threads: by Amdahl's law from two_threads.
  double of(const Work& work, WorkKind kind, int threads) const;
};

/// Of a key mapped from a file that the system has in memory, when it is first used: page faults
/// and the check of its bytes. Measured with the 9.6 GB of CryptoFaceNet4's keys: 5 to 14 s, by how
/// much of the file the system still had.
inline constexpr double kSecondsPerMappedByte = 0.9e-9;

/// A value; sizes ascend by log_n and are not empty.
struct UnitTable {
  std::string source;  ///< "built in" or "measured"
  Isa isa = Isa::scalar;
  std::vector<UnitCosts> sizes;

  /// The row of this ring, or the nearest one scaled by N (and transforms by log2 N).
  UnitCosts at(i64 log_n) const;
  /// "measured, avx512ifma", with a digest of the figures: the same text, the same choices.
  std::string text() const;
};

/// The table of an instruction set; scalar code is taken as 3.7 times AVX2.
UnitTable built_in_units(Isa isa = active_isa());

}  // namespace sinter::encrypted
