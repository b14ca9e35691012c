// SPDX-License-Identifier: Apache-2.0
// Homomorphic operations against the same on plain numbers, and the errors at their doors.
#include "ckks/evaluate.h"

#include <gtest/gtest.h>

#include "support.h"

namespace sinter::ckks {
namespace {

constexpr double kBits = 22;  // scale 2^40 at N = 2^11 with up to five levels of products

TEST(Evaluate, fresh_ciphertexts_decrypt_to_what_was_encrypted) {
  Party party(small_options());
  Rng rng(test_seed());
  for (int level = 0; level <= party.c().max_level(); ++level) {
    const std::vector<double> x = random_values(rng, party.c().slots());
    const Precision p = compare(party.decrypted(party.encrypt(x, level)), x);
    EXPECT_GT(p.bits_min, 25) << "level " << level << ": " << p.text();
  }
}

TEST(Evaluate, products_relinearise_and_rescale_through_every_level) {
  Party party(small_options());
  Rng rng(test_seed());
  KeyManifest manifest;
  manifest.relinearisation_level = party.c().max_level();
  const EvaluationKeys keys = party.keys(manifest);
  std::vector<double> x = random_values(rng, party.c().slots());
  Ciphertext cx = party.encrypt(x);
  while (cx.level() > 0) {
    const std::vector<double> y = random_values(rng, party.c().slots());
    const Ciphertext cy = encrypt_symmetric(
        party.c(), party.secret, encode(party.c(), y, party.scale(), cx.level()), party.rng);
    cx = rescale(party.c(), multiply_relinearise(party.c(), cx, cy, keys, party.pool), party.pool);
    for (size_t i = 0; i < x.size(); ++i) x[i] *= y[i];
    const Precision p = compare(party.decrypted(cx), x);
    EXPECT_GT(p.bits_min, kBits) << "level " << cx.level() << ": " << p.text();
  }
}

TEST(Evaluate, rotations_move_the_slots_left) {
  Party party(small_options());
  Rng rng(test_seed());
  const i64 slots = party.c().slots();
  KeyManifest manifest;
  const std::vector<i64> steps = {1, 2, 7, slots / 2, slots - 1, -3, 0};
  for (i64 s : steps) manifest.add_rotation(s, party.c().max_level(), slots);
  const EvaluationKeys keys = party.keys(manifest);
  const std::vector<double> x = random_values(rng, slots);
  for (int level : {party.c().max_level(), 2, 0}) {
    const Ciphertext cx = party.encrypt(x, level);
    for (i64 s : steps) {
      const Precision p =
          compare(party.decrypted(rotate(party.c(), cx, s, keys, party.pool)), rotated(x, s));
      EXPECT_GT(p.bits_min, kBits) << "level " << level << " steps " << s << ": " << p.text();
    }
  }
}

}  // namespace
}  // namespace sinter::ckks
