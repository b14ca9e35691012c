// SPDX-License-Identifier: Apache-2.0
// Measures the units of work.h on this machine: a few rotations, linear maps, encodings and
// rescales at three levels, from whose times the units follow by least squares with the built-in
// figures as a weak prior. Keys and ciphertexts are random residues: the time does not depend on
// their meaning, and no secret is made.
#pragma once
#include <vector>

#include "base/progress.h"
#include "encrypted/unit_costs.h"

namespace sinter::encrypted {

struct CalibrateOptions {
  std::vector<i64> log_n = {13, 14, 15, 16};  ///< ring sizes, ascending, 10 to 16 each
  int repeats = 3;                            ///< the fastest of so many runs counts
  bool threads = true;                        ///< measure two threads as well
};

/// One operation as measured and as the fitted units give it, one thread.
struct Observation {
  i64 log_n = 0;
  std::string what;
  int level = 0;
  double measured = 0, predicted = 0;
};

struct Calibration {
  UnitTable units;
  std::vector<Observation> observations;
  /// CPU time over wall time of everything measured on one thread: below 0.9 the machine was busy.
  double quiet = 1;
};

/// cost    about 6 s and 1.3 GB for all four sizes
/// throws  Error(bad_argument) for options out of range
Calibration measure_units(const CalibrateOptions& options = {}, const Progress& progress = {});

/// units >= 0 that minimise the sum of squared relative errors of `seconds` over `works`, drawn
/// towards `prior` (positive where the works do not say otherwise).
std::array<double, kUnitCount> fit_units(const std::vector<Work>& works,
                                         const std::vector<double>& seconds,
                                         const std::array<double, kUnitCount>& prior);

}  // namespace sinter::encrypted
