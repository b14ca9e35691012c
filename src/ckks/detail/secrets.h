// SPDX-License-Identifier: Apache-2.0
// What key generation and encryption share. Client side only.
#pragma once
#include "ckks/secret_key.h"

namespace sinter::ckks::detail {

/// The key belongs to the context.
void check_key(const Context& context, const SecretKey& secret, const char* operation);
/// Gaussian noise with `limbs` limbs of the given level, NTT form, marked secret.
ring::RnsPoly sample_noise(const Context& context, int level, int limbs, ring::SecretRng& rng);

}  // namespace sinter::ckks::detail
