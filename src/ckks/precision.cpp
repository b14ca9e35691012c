// SPDX-License-Identifier: Apache-2.0
#include "ckks/precision.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "base/error.h"

namespace sinter::ckks {
namespace {

constexpr double kMaxBits = 60;

template <class Value>
Precision compare_any(std::span<const Value> found, std::span<const Value> expected) {
  require(found.size() == expected.size() && !found.empty(), ErrorKind::bad_argument,
          "compare: expected two vectors of one length, found ", found.size(), " and ",
          expected.size());
  Precision result;
  std::vector<double> bits;
  for (size_t i = 0; i < found.size(); ++i) {
    const double difference = std::abs(found[i] - expected[i]);
    // A NaN anywhere is the worst result, not a value to skip.
    const double error = std::isnan(difference) ? HUGE_VAL : difference;
    bits.push_back(std::min(kMaxBits, -std::log2(error)));
    result.bits_mean += bits.back() / double(found.size());
    result.max_error = std::max(result.max_error, error);
  }
  std::sort(bits.begin(), bits.end());
  result.bits_min = bits.front();
  result.bits_median = bits[bits.size() / 2];
  return result;
}

}  // namespace

std::string Precision::text() const {
  char text[160];
  std::snprintf(text, sizeof text, "min %.1f, mean %.1f, median %.1f bits, largest error %.2g",
                bits_min, bits_mean, bits_median, max_error);
  return text;
}

Precision compare(std::span<const double> found, std::span<const double> expected) {
  return compare_any(found, expected);
}

Precision compare(std::span<const std::complex<double>> found,
                  std::span<const std::complex<double>> expected) {
  return compare_any(found, expected);
}

}  // namespace sinter::ckks
