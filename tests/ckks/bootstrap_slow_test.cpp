// SPDX-License-Identifier: Apache-2.0
// The presets at their own size, N = 2^16: minutes and seven gigabytes.
#include <gtest/gtest.h>

#include <algorithm>

#include "bootstrap_support.h"

namespace sinter::ckks {
namespace {

/// The mean over ten random vectors and the least slot of all.
void expect_precision(const BootstrapPreset& preset, double least_mean, double least_min) {
  Boot boot(preset);
  EXPECT_EQ(boot.bootstrapper->output_level(), 9);
  double mean = 0, least = 60;
  for (int i = 0; i < 10; ++i) {
    const std::vector<Complex> values = boot.random_values();
    const Ciphertext out = boot.run(boot.encrypt(values));
    EXPECT_EQ(out.level(), 9);
    EXPECT_EQ(out.scale(), 0x1p40);
    const Precision p = boot.precision(values, out);
    mean += p.bits_mean / 10;
    least = std::min(least, p.bits_min);
  }
  EXPECT_GT(mean, least_mean);
  EXPECT_GT(least, least_min);
}

TEST(BootstrapPresetSlow, fast_keeps_fourteen_and_a_half_bits) {
  expect_precision(bootstrap_preset("fast"), 14.5, 12);
}

TEST(BootstrapPresetSlow, precise_keeps_eighteen_bits) {
  expect_precision(bootstrap_preset("precise"), 18, 15.5);
}

TEST(BootstrapPresetSlow, fewer_slots_keep_the_same_precision) {
  BootstrapPreset preset = bootstrap_preset("fast");
  preset.options.slots = 1 << 12;
  expect_precision(preset, 14.5, 12);
}

}  // namespace
}  // namespace sinter::ckks
