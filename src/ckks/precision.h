// SPDX-License-Identifier: Apache-2.0
// Precision of a result as a value: tests assert on it, reports print it.
#pragma once
#include <complex>
#include <span>
#include <string>

namespace sinter::ckks {

/// bits(i) = -log2(|found_i - expected_i|), at most 60 (equal values count as 60).
struct Precision {
  double bits_min = 0, bits_mean = 0, bits_median = 0;
  double max_error = 0;  ///< the largest |found_i - expected_i|

  std::string text() const;  ///< "min 21.3, mean 25.0, median 24.8 bits, largest error 3.9e-07"
};

/// throws  Error(bad_argument) when the lengths differ or are zero
Precision compare(std::span<const double> found, std::span<const double> expected);
Precision compare(std::span<const std::complex<double>> found,
                  std::span<const std::complex<double>> expected);

}  // namespace sinter::ckks
