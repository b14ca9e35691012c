// SPDX-License-Identifier: Apache-2.0
// The outline of a bootstrap against the Bootstrapper itself, and the error that is predicted for
// it against measured ones.
#include <gtest/gtest.h>

#include <cmath>

#include "bootstrap_support.h"

namespace sinter::ckks {
namespace {

TEST(BootstrapOutline, has_the_keys_levels_and_scale_of_the_bootstrapper) {
  ThreadPool pool(1);
  for (const char* name : {"fast", "precise"})
    for (i64 log_n : {10, 11})
      for (i64 slots : {i64(0), i64(16), i64(64), i64(256)}) {
        BootstrapPreset preset = small_preset(name, log_n);
        preset.options.slots = slots;
        preset.options.target_level = 5;
        preset.options.memory_budget = 0;
        const CkksParams params = CkksParams::check(preset.params);
        const BootstrapOutline outline = outline_bootstrap(params, preset.options);
        const auto made = Bootstrapper::create(Context::create(params), preset.options, pool);
        EXPECT_EQ(outline.manifest, made->manifest()) << name << " " << log_n << " " << slots;
        EXPECT_EQ(outline.options, made->options());
        EXPECT_EQ(outline.options.target_level, made->output_level());
        EXPECT_EQ(outline.options.output_scale, made->output_scale());
        EXPECT_EQ(outline.maps.size(), 7u);
      }
}

TEST(BootstrapOutline, predicts_the_error) {
  for (const char* name : {"fast", "precise"})
    for (const SecretKind secret : {SecretKind::sparse, SecretKind::ternary})
      for (i64 slots : {i64(0), i64(128)}) {
        BootstrapPreset preset = small_preset(name, 11);
        preset.options.slots = slots;
        preset.params.secret = secret;
        Boot boot(preset);
        double squares = 0, bends = 0;
        const std::vector<Complex> values = boot.random_values();
        const std::vector<Complex> found = boot.decrypt_all(boot.run(boot.encrypt(values)));
        for (size_t i = 0; i < found.size(); ++i)
          squares += std::norm(found[i] - values[i % values.size()]) / 2;
        const CkksParams& params = boot.party.c().params();
        const std::vector<Complex> exact = bent(params, preset.options, values);
        for (size_t i = 0; i < exact.size(); ++i) bends += std::norm(exact[i] - values[i]) / 2;
        const double measured = std::sqrt(squares / double(found.size()));
        const double predicted = std::hypot(bootstrap_error(params, preset.options),
                                            std::sqrt(bends / double(exact.size())));
        EXPECT_LT(std::abs(std::log2(measured / predicted)), 1.0)
            << name << " " << slots << " of 2^10, secret " << int(secret) << ": measured 2^"
            << std::log2(measured) << ", predicted 2^" << std::log2(predicted);
      }
}

}  // namespace
}  // namespace sinter::ckks
