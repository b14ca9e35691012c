// SPDX-License-Identifier: Apache-2.0
// What the tests of ckks share: small insecure parameters, keys, random slot vectors.
#pragma once
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "ckks/encoder.h"
#include "ckks/evaluate.h"
#include "ckks/precision.h"
#include "ckks/secret_key.h"
#include "ckks/serialize.h"

namespace sinter::ckks {

inline u64 test_seed() {
  const char* text = std::getenv("SINTER_TEST_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 0) : 20240601;
}

inline ring::Seed secret_seed(u64 number) {
  ring::Seed seed{};
  for (size_t i = 0; i < 8; ++i) seed[i] = u8(number >> (8 * i));
  return seed;
}

inline CkksOptions small_options(i64 log_n = 11, int levels = 5, int special = 2) {
  CkksOptions o;
  o.log_n = log_n;
  o.log_q.assign(size_t(levels) + 1, 40);
  o.log_q[0] = 48;
  o.log_p.assign(size_t(special), 48);
  o.log_scale = 40;
  o.security = Security::none_for_tests;
  return o;
}

/// One context with a secret and the keys of a manifest.
struct Party {
  std::shared_ptr<const Context> context;
  ring::SecretRng rng;
  SecretKey secret;
  ThreadPool pool{1};

  explicit Party(const CkksOptions& options, u64 seed = test_seed())
      : context(Context::create(CkksParams::check(options))),
        rng(secret_seed(seed)),
        secret(generate_secret_key(*context, rng)) {}

  const Context& c() const { return *context; }
  double scale() const { return context->params().scale(); }

  EvaluationKeys keys(const KeyManifest& manifest) {
    return generate_evaluation_keys(*context, secret, manifest, rng, pool);
  }
  Ciphertext encrypt(std::span<const double> values, int level = -1) {
    const int at = level < 0 ? context->max_level() : level;
    return encrypt_symmetric(*context, secret, encode(*context, values, scale(), at), rng);
  }
  std::vector<double> decrypted(const Ciphertext& x) const {
    return decode(*context, decrypt(*context, secret, x));
  }
};

inline std::vector<double> random_values(Rng& rng, i64 count, double low = -1, double high = 1) {
  std::vector<double> values(static_cast<size_t>(count));
  for (double& v : values) v = rng.uniform(low, high);
  return values;
}

inline std::vector<double> rotated(const std::vector<double>& x, i64 steps) {
  const i64 n = std::ssize(x);
  std::vector<double> y(x.size());
  for (i64 i = 0; i < n; ++i) y[size_t(i)] = x[size_t(((i + steps) % n + n) % n)];
  return y;
}

/// The message of the Error of the expected kind that body() throws, "" when it throws none.
template <class Body>
std::string error_of(const Body& body, ErrorKind expected_kind) {
  try {
    body();
  } catch (const Error& e) {
    // The text of an error of another kind must not satisfy a search for the expected text.
    return e.kind() == expected_kind ? e.what() : "kind " + std::to_string(int(e.kind()));
  }
  return "";
}

}  // namespace sinter::ckks
