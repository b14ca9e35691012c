// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"
#include "ckks/encoder.h"
#include "ckks/rows.h"

namespace sinter::bench {
namespace {

std::shared_ptr<const ckks::Context> make_context(int log_n, int q_count, int p_count) {
  ckks::CkksOptions options;
  options.log_n = log_n;
  options.log_q.assign(size_t(q_count), 40);
  options.log_q[0] = 48;
  options.log_p.assign(size_t(p_count), 48);
  if (log_n < 16) options.security = ckks::Security::none_for_tests;
  return ckks::Context::create(ckks::CkksParams::check(options));
}

ckks::EvaluationKeys make_keys(const ckks::Context& context, const ckks::SecretKey& secret,
                               const std::vector<i64>& rotations, bool relinearise,
                               ring::SecretRng& rng, ThreadPool& pool) {
  ckks::KeyManifest manifest;
  if (relinearise) manifest.relinearisation_level = context.max_level();
  for (i64 r : rotations) manifest.add_rotation(r, context.max_level(), context.slots());
  return generate_evaluation_keys(context, secret, manifest, rng, pool);
}

}  // namespace

Setup::Setup(int log_n, int q_count, int p_count, const std::vector<i64>& rotations,
             bool relinearise)
    : context(make_context(log_n, q_count, p_count)),
      secret(generate_secret_key(*context, rng)),
      keys(make_keys(*context, secret, rotations, relinearise, rng, pool)) {
  Rng random(7);
  values.resize(size_t(context->slots()));
  for (double& v : values) v = random.uniform(-1, 1);
  encrypt_values();
  parameters = "N=2^" + std::to_string(log_n) + ", " + std::to_string(q_count) + "+" +
               std::to_string(p_count) + " primes";
}

void Setup::encrypt_values() {
  x = encrypt_symmetric(*context, secret,
                        encode(*context, values, context->params().scale(), context->max_level()),
                        rng);
}

ckks::Precision Setup::precision(const ckks::Ciphertext& found,
                                 std::span<const double> expected) const {
  return ckks::compare(decode(*context, decrypt(*context, secret, found)), expected);
}

}  // namespace sinter::bench
