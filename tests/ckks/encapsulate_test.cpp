// SPDX-License-Identifier: Apache-2.0
// The two keys of sparse-secret encapsulation: what they do, their sizes and their security check.
#include "ckks/encapsulate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ckks/noise.h"
#include "ring/rns.h"
#include "support.h"

namespace sinter::ckks {
namespace {

KeyManifest encapsulation(int level) {
  KeyManifest manifest;
  manifest.encapsulation_level = level;
  return manifest;
}

/// Largest coefficient of decrypt(x) - decrypt(y), both at level 0.
double phase_distance(const Party& p, const Ciphertext& x, const Ciphertext& y) {
  ring::RnsPoly a = decrypt(p.c(), p.secret, x).poly.clone(1),
                b = decrypt(p.c(), p.secret, y).poly.clone(1);
  const ring::Modulus q = p.c().ring().modulus(0);
  for (size_t i = 0; i < a.limb(0).size(); ++i) a.limb(0)[i] = q.sub(a.limb(0)[i], b.limb(0)[i]);
  ring::ntt_inverse(p.c().ring().ntt(0), a.limb(0));
  double largest = 0;
  for (u64 v : a.limb(0)) largest = std::max(largest, double(std::min(v, q.value() - v)));
  return largest;
}

TEST(Encapsulate, to_the_sparse_secret_and_back_adds_the_stated_noise_and_nothing_else) {
  for (const std::vector<int>& special : std::vector<std::vector<int>>{{48, 48}, {40, 40}, {48}}) {
    CkksOptions options = small_options(10, 3, 2);
    options.log_p = special;
    if (special.size() < 2 || special[0] < 48) options.log_q = {44, 30, 30, 30};
    Party p(options);
    const EvaluationKeys keys = p.keys(encapsulation(2));
    EXPECT_EQ(keys.to_sparse().digits.size(), 1u);
    EXPECT_EQ(keys.to_sparse().digits[0].b.limbs(), special[0] == 40 ? 3 : 2);
    Rng rng(test_seed());
    const Ciphertext x = drop_to_level(p.c(), p.encrypt(random_values(rng, p.c().slots())), 0);
    const Ciphertext sparse = switch_to_sparse(p.c(), x, keys, p.pool);
    const Ciphertext back = switch_to_dense(p.c(), sparse, keys, p.pool);
    EXPECT_LE(phase_distance(p, x, back),
              sparse_switch_noise(p.c().params()) + key_switch_noise(p.c().params(), 0));
    // Under the main secret the sparse form is noise.
    EXPECT_GT(phase_distance(p, x, sparse), 0x1p40);
  }
}

TEST(Encapsulate, the_result_does_not_depend_on_the_number_of_threads) {
  Party p(small_options(10, 3, 2));
  const EvaluationKeys keys = p.keys(encapsulation(3));
  ThreadPool three(3);
  const Ciphertext x = p.encrypt(std::vector<double>{1, 2});
  const Ciphertext low = drop_to_level(p.c(), x, 0);
  EXPECT_EQ(save_ciphertext(p.c(), switch_to_sparse(p.c(), low, keys, p.pool)),
            save_ciphertext(p.c(), switch_to_sparse(p.c(), low, keys, three)));
  EXPECT_EQ(save_ciphertext(p.c(), switch_to_dense(p.c(), x, keys, p.pool)),
            save_ciphertext(p.c(), switch_to_dense(p.c(), x, keys, three)));
}

TEST(Encapsulate, what_is_missing_or_out_of_place_is_named) {
  Party p(small_options(8, 3, 2));
  const EvaluationKeys keys = p.keys(encapsulation(1)), none = p.keys({});
  const Ciphertext x = p.encrypt(std::vector<double>{1});
  const auto refusal = [&](const auto& body) { return error_of(body, ErrorKind::bad_argument); };
  EXPECT_NE(refusal([&] { switch_to_sparse(p.c(), x, keys, p.pool); }).find("level 0, found 3"),
            std::string::npos);
  EXPECT_NE(refusal([&] { switch_to_dense(p.c(), x, keys, p.pool); }).find("up to level 1"),
            std::string::npos);
  EXPECT_NE(refusal([&] {
              switch_to_sparse(p.c(), drop_to_level(p.c(), x, 0), none, p.pool);
            }).find("sparse secret is not among the keys"),
            std::string::npos);
  EXPECT_NE(refusal([&] { p.keys(encapsulation(4)); }).find("encapsulation"), std::string::npos);
}

TEST(Encapsulate, the_manifest_holds_it_in_every_form) {
  Party p(small_options(8, 3, 2));
  KeyManifest manifest = encapsulation(2), more = encapsulation(3);
  more.add_rotation(1, 2, p.c().slots());
  manifest.merge(more);
  EXPECT_EQ(manifest.encapsulation_level, 3);
  EXPECT_EQ(manifest.key_count(), 3);
  const EvaluationKeys keys = p.keys(manifest);
  EXPECT_EQ(keys.bytes(), manifest.bytes(p.c().params()));
  const std::vector<std::byte> saved = save_evaluation_keys(p.c(), keys);
  const EvaluationKeys loaded = load_evaluation_keys(p.c(), saved, "keys", p.pool);
  EXPECT_EQ(loaded.manifest(), manifest);
  EXPECT_EQ(save_evaluation_keys(p.c(), loaded), saved);
  // A manifest without these keys is written as it was before they existed.
  ByteWriter old;
  KeyManifest plain;
  plain.relinearisation_level = 2;
  plain.serialise(old);
  EXPECT_EQ(old.size(), 24);
}

TEST(Encapsulate, no_other_key_changes_when_the_two_are_added) {
  KeyManifest manifest, both;
  manifest.relinearisation_level = both.relinearisation_level = 2;
  both.encapsulation_level = 2;
  Party p(small_options(8, 3, 2)), q(small_options(8, 3, 2));
  const EvaluationKeys alone = p.keys(manifest), together = q.keys(both);
  const auto& a = alone.relinearisation(2).digits[0].b;
  const auto& b = together.relinearisation(2).digits[0].b;
  for (int i = 0; i < a.limbs(); ++i)
    EXPECT_TRUE(std::ranges::equal(a.limb(i), b.limb(i))) << "limb " << i;
}

TEST(Encapsulate, a_modulus_too_large_for_the_sparse_secret_is_refused) {
  CkksOptions options;
  options.log_n = 15;
  options.log_q = {48, 40};
  options.log_p = {46, 48};  // one prime of 46 bits does not reach q_0, two exceed 84 bits
  Party p(options);
  EXPECT_NE(error_of([&] { p.keys(encapsulation(1)); }, ErrorKind::bad_argument).find("at most 84"),
            std::string::npos);
}

}  // namespace
}  // namespace sinter::ckks
