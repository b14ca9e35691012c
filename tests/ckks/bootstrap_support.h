// SPDX-License-Identifier: Apache-2.0
// What the tests of bootstrapping share: a preset with its context, keys and random values.
#pragma once
#include <complex>
#include <memory>
#include <string_view>
#include <vector>

#include "ckks/bootstrap.h"
#include "ckks/detail/bootstrap_factors.h"
#include "ckks/detail/bootstrap_raise.h"
#include "support.h"

namespace sinter::ckks {

using Complex = std::complex<double>;

/// A preset on a small ring that claims no security.
inline BootstrapPreset small_preset(std::string_view name, i64 log_n) {
  BootstrapPreset preset = bootstrap_preset(name);
  preset.params.log_n = log_n;
  preset.params.security = Security::none_for_tests;
  return preset;
}

struct Boot {
  Party party;
  std::shared_ptr<const Bootstrapper> bootstrapper;
  EvaluationKeys keys;
  Rng rng{test_seed()};

  explicit Boot(const BootstrapPreset& preset)
      : party(preset.params),
        bootstrapper(Bootstrapper::create(party.context, preset.options, party.pool)),
        keys(party.keys(bootstrapper->manifest())) {}

  i64 slots() const { return bootstrapper->options().slots; }
  std::vector<Complex> random_values() {
    std::vector<Complex> out(static_cast<size_t>(slots()));
    for (Complex& v : out) v = {rng.uniform(-1, 1), rng.uniform(-1, 1)};
    return out;
  }
  /// The values repeated over all slots.
  Ciphertext encrypt(const std::vector<Complex>& values, double scale = 0x1p40, int level = 0) {
    std::vector<Complex> all(size_t(party.c().slots()));
    for (size_t i = 0; i < all.size(); ++i) all[i] = values[i % values.size()];
    return encrypt_symmetric(party.c(), party.secret,
                             encode(party.c(), std::span<const Complex>(all), scale, level),
                             party.rng);
  }
  std::vector<Complex> decrypt_all(const Ciphertext& x) const {
    return decode_complex(party.c(), decrypt(party.c(), party.secret, x));
  }
  Precision precision(const std::vector<Complex>& values, const Ciphertext& x) const {
    std::vector<Complex> found = decrypt_all(x);
    found.resize(values.size());
    return compare(found, values);
  }
  Ciphertext run(const Ciphertext& x) { return bootstrapper->bootstrap(x, keys, party.pool); }
};

/// The factors one after the other on plain numbers, diagonal by diagonal as their plans say.
inline std::vector<Complex> applied(const detail::Factors& factors, std::vector<Complex> x,
                                    i64 slots) {
  for (const auto& factor : factors) {
    const DiagonalSource source = factor->source(slots);
    std::vector<Complex> y(x.size()), d(static_cast<size_t>(source.period));
    for (const LinearPlan::Giant& giant : factor->plan.giants)
      for (const LinearPlan::Term& term : giant.terms) {
        source.fill_complex(term.index, d);
        for (i64 s = 0; s < slots; ++s)
          y[size_t(s)] += d[size_t(s % source.period)] * x[size_t((s + term.index) % slots)];
      }
    x = std::move(y);
  }
  return x;
}

}  // namespace sinter::ckks
