// SPDX-License-Identifier: Apache-2.0
// Homomorphic operations against the same on plain numbers, and the errors at their doors.
#include "ckks/evaluate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ckks/encrypt.h"
#include "support.h"

namespace sinter::ckks {
namespace {

using Complex = std::complex<double>;

constexpr double kBits = 22;  // scale 2^40 at N = 2^11 with up to five levels of products

KeyManifest full_manifest(const Context& context, std::span<const i64> rotations) {
  KeyManifest manifest;
  manifest.relinearisation_level = manifest.conjugation_level = context.max_level();
  for (i64 r : rotations) manifest.add_rotation(r, context.max_level(), context.slots());
  return manifest;
}

std::vector<std::byte> bytes_of(const Context& context, const Ciphertext& x) {
  return save_ciphertext(context, x);
}

TEST(Evaluate, fresh_ciphertexts_decrypt_to_what_was_encrypted) {
  Party party(small_options());
  Rng rng(test_seed());
  const PublicKey key = generate_public_key(party.c(), party.secret, party.rng);
  for (int level = 0; level <= party.c().max_level(); ++level) {
    const std::vector<double> x = random_values(rng, party.c().slots());
    const Precision p = compare(party.decrypted(party.encrypt(x, level)), x);
    EXPECT_GT(p.bits_min, 25) << "level " << level << ": " << p.text();
    const Ciphertext y =
        encrypt_public(party.c(), key, encode(party.c(), x, party.scale(), level), party.rng);
    EXPECT_GT(compare(party.decrypted(y), x).bits_min, kBits) << "level " << level;
  }
}

TEST(Evaluate, products_relinearise_and_rescale_through_every_level) {
  Party party(small_options());
  Rng rng(test_seed());
  const EvaluationKeys keys = party.keys(full_manifest(party.c(), {}));
  std::vector<double> x = random_values(rng, party.c().slots());
  Ciphertext cx = party.encrypt(x);
  while (cx.level() > 0) {
    const std::vector<double> y = random_values(rng, party.c().slots());
    const Ciphertext cy = party.encrypt(y, cx.level());
    cx = rescale(party.c(), multiply_relinearise(party.c(), cx, cy, keys, party.pool), party.pool);
    for (size_t i = 0; i < x.size(); ++i) x[i] *= y[i];
    const Precision p = compare(party.decrypted(cx), x);
    EXPECT_GT(p.bits_min, kBits) << "level " << cx.level() << ": " << p.text();
  }
}

TEST(Evaluate, every_elementwise_operation_does_what_its_name_says) {
  Party party(small_options(10, 3, 2));
  const Context& c = party.c();
  Rng rng(test_seed());
  const std::vector<double> x = random_values(rng, c.slots()), y = random_values(rng, c.slots());
  for (int level : {1, 2, 3}) {
    const Ciphertext cx = party.encrypt(x, level), cy = party.encrypt(y, level);
    const Plaintext py = encode(c, y, party.scale(), level), high = encode(c, y, party.scale(), 3);
    const auto check = [&](const Ciphertext& found, const auto& expected, const char* what) {
      std::vector<double> z(x.size());
      for (size_t i = 0; i < z.size(); ++i) z[i] = expected(x[i], y[i]);
      const Precision p = compare(party.decrypted(found), z);
      EXPECT_GT(p.bits_min, kBits) << what << " level " << level << ": " << p.text();
    };
    check(
        add(c, cx, cy), [](double a, double b) { return a + b; }, "add");
    check(
        sub(c, cx, cy), [](double a, double b) { return a - b; }, "sub");
    check(
        negate(c, cx), [](double a, double) { return -a; }, "negate");
    check(
        add_plain(c, cx, py), [](double a, double b) { return a + b; }, "add_plain");
    check(
        add_plain(c, cx, high), [](double a, double b) { return a + b; }, "add_plain high");
    check(
        sub_plain(c, cx, py), [](double a, double b) { return a - b; }, "sub_plain");
    check(
        add_constant(c, cx, -3.25), [](double a, double) { return a - 3.25; }, "add_constant");
    check(
        multiply_plain(c, cx, py), [](double a, double b) { return a * b; }, "multiply_plain");
    check(
        multiply_by_constant(c, cx, -2.5, 0x1p20), [](double a, double) { return -2.5 * a; },
        "multiply_by_constant");
    check(
        multiply_by_constant(c, cx, 3, 1), [](double a, double) { return 3 * a; }, "integer");
    check(
        multiply(c, cx, cy, party.pool), [](double a, double b) { return a * b; }, "multiply");
    check(
        square(c, cx, party.pool), [](double a, double) { return a * a; }, "square");
    check(
        add(c, multiply(c, cx, cy, party.pool), square(c, cx, party.pool)),
        [](double a, double b) { return a * b + a * a; }, "three parts plus three");
    Ciphertext sum = multiply_plain(c, cx, py);
    multiply_plain_accumulate(c, sum, cy, py);
    check(
        sum, [](double a, double b) { return a * b + b * b; }, "accumulate");
    Ciphertext both = cx.clone();
    add_inplace(c, both, cy);
    EXPECT_EQ(bytes_of(c, both), bytes_of(c, add(c, cx, cy)));
    sub_inplace(c, both, cy);
    add_plain_inplace(c, both, py);
    add_constant_inplace(c, both, 1);
    check(
        both, [](double a, double b) { return a + b + 1; }, "in place");
    check(
        drop_to_level(c, cx, level - 1), [](double a, double) { return a; }, "drop");
    check(
        rescale(c, multiply_plain(c, cx, py), party.pool), [](double a, double b) { return a * b; },
        "rescale");
  }
}

TEST(Evaluate, two_and_three_parts_add_in_either_order) {
  Party party(small_options(10, 3, 2));
  const Context& c = party.c();
  Rng rng(test_seed());
  const std::vector<double> x = random_values(rng, c.slots());
  const Ciphertext cx = party.encrypt(x);
  const Ciphertext three = square(c, cx, party.pool);
  const Ciphertext two = multiply_plain(c, cx, encode(c, x, party.scale(), 3));
  std::vector<double> sum(x.size());
  for (size_t i = 0; i < x.size(); ++i) sum[i] = 2 * x[i] * x[i];
  EXPECT_GT(compare(party.decrypted(add(c, three, two)), sum).bits_min, kBits);
  EXPECT_GT(compare(party.decrypted(add(c, two, three)), sum).bits_min, kBits);
  const std::vector<double> zero(x.size(), 0.0);
  EXPECT_GT(compare(party.decrypted(sub(c, two, three)), zero).bits_min, kBits);
}

TEST(Evaluate, a_pool_changes_no_bit_of_sums_and_drops) {
  Party party(small_options(13, 9, 0));
  const Context& c = party.c();
  Rng rng(test_seed());
  const std::vector<double> values = random_values(rng, c.slots());
  const Ciphertext x = party.encrypt(values), y = party.encrypt(random_values(rng, c.slots()));
  const Plaintext p = encode(c, values, party.scale(), x.level());
  for (i64 threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(bytes_of(c, add(c, x, y, pool)), bytes_of(c, add(c, x, y))) << threads;
    EXPECT_EQ(bytes_of(c, add_plain(c, x, p, pool)), bytes_of(c, add_plain(c, x, p))) << threads;
    EXPECT_EQ(bytes_of(c, drop_to_level(c, x, 7, pool)), bytes_of(c, drop_to_level(c, x, 7)));
    Ciphertext sum = x.clone(), three = x.clone();
    add_inplace(c, sum, y, pool);
    EXPECT_EQ(bytes_of(c, sum), bytes_of(c, add(c, x, y))) << threads;
    const Ciphertext product = multiply_plain(c, multiply(c, x, y, pool), p);
    three = multiply_plain(c, multiply_plain(c, x, p), p);
    three.set_scale(product.scale());
    Ciphertext grown = three.clone();
    add_inplace(c, grown, product, pool);
    EXPECT_EQ(bytes_of(c, grown), bytes_of(c, add(c, three, product))) << threads;
  }
}

TEST(Evaluate, no_result_carries_the_origin_of_its_operands) {
  Party party(small_options(10, 3, 2));
  const Context& c = party.c();
  KeyManifest manifest;
  manifest.relinearisation_level = 3;
  manifest.add_rotation(1, 3, c.slots());
  const EvaluationKeys keys = party.keys(manifest);
  const std::vector<double> ones(size_t(c.slots()), 1.0);
  const Plaintext p = encode(c, ones, party.scale(), 3);
  const Ciphertext x = party.encrypt(ones);
  EXPECT_EQ(x.origin().key, party.secret.id());
  EXPECT_EQ(x.clone().origin().key, party.secret.id());
  Ciphertext in_place = x.clone();
  add_inplace(c, in_place, x);
  std::vector<Ciphertext> results;
  results.push_back(std::move(in_place));
  results.push_back(add(c, x, x));
  results.push_back(sub(c, x, x));
  results.push_back(negate(c, x));
  results.push_back(add_plain(c, x, p));
  results.push_back(add(c, x, x, party.pool));
  results.push_back(add_plain(c, x, p, party.pool));
  results.push_back(sub_plain(c, x, p));
  results.push_back(add_constant(c, x, 1));
  results.push_back(multiply_plain(c, x, p));
  results.push_back(multiply_by_constant(c, x, 2, 1));
  results.push_back(multiply(c, x, x, party.pool));
  results.push_back(relinearise(c, x, keys, party.pool));
  results.push_back(rotate(c, x, 0, keys, party.pool));
  results.push_back(rotate(c, x, 1, keys, party.pool));
  results.push_back(rescale(c, x, party.pool));
  results.push_back(drop_to_level(c, x, 3));
  results.push_back(drop_to_level(c, x, 3, party.pool));
  results.push_back(match_level_and_scale(c, x, 3, x.scale(), party.pool));
  for (size_t i = 0; i < results.size(); ++i) EXPECT_EQ(results[i].origin().key, 0u) << i;
}

TEST(Evaluate, scales_and_levels_match_exactly_on_request) {
  Party party(small_options(10, 4, 2));
  Rng rng(test_seed());
  const std::vector<double> x = random_values(rng, party.c().slots());
  const Ciphertext cx = party.encrypt(x);
  for (int level : {3, 1, 0}) {
    const double scale = 0x1p40 * 1.37;
    const Ciphertext y = match_level_and_scale(party.c(), cx, level, scale, party.pool);
    EXPECT_EQ(y.level(), level);
    EXPECT_EQ(y.scale(), scale);
    EXPECT_GT(compare(party.decrypted(y), x).bits_min, kBits);
  }
  const Ciphertext same =
      match_level_and_scale(party.c(), cx, 4, party.scale() * (1 + 0x1p-30), party.pool);
  EXPECT_EQ(same.scale(), party.scale() * (1 + 0x1p-30));
}

TEST(Evaluate, rotations_move_the_slots_left) {
  Party party(small_options());
  Rng rng(test_seed());
  const i64 slots = party.c().slots();
  const std::vector<i64> steps = {1, 2, 7, slots / 2, slots - 1, -3, 0, slots, slots + 1};
  const EvaluationKeys keys = party.keys(full_manifest(party.c(), steps));
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

TEST(Evaluate, conjugation_and_complex_slots) {
  Party party(small_options(10, 2, 1));
  const Context& c = party.c();
  Rng rng(test_seed());
  std::vector<Complex> x(size_t(c.slots())), expected(x.size());
  for (Complex& v : x) v = {rng.uniform(-1, 1), rng.uniform(-1, 1)};
  for (size_t i = 0; i < x.size(); ++i) expected[i] = std::conj(x[i]);
  const EvaluationKeys keys = party.keys(full_manifest(c, {}));
  const Ciphertext cx =
      encrypt_symmetric(c, party.secret, encode(c, x, party.scale(), 2), party.rng);
  const Ciphertext y = conjugate(c, cx, keys, party.pool);
  const std::vector<Complex> found = decode_complex(c, decrypt(c, party.secret, y));
  EXPECT_GT(compare(found, expected).bits_min, kBits);
}

TEST(Evaluate, hoisted_rotations_equal_plain_ones_bit_for_bit) {
  for (int special : {1, 2, 3}) {
    Party party(small_options(10, 5, special));
    const std::vector<i64> steps = {3, 0, -1, 100, 3};
    const EvaluationKeys keys = party.keys(full_manifest(party.c(), steps));
    Rng rng(test_seed());
    for (int level : {5, 3, 0}) {
      const Ciphertext x = party.encrypt(random_values(rng, party.c().slots()), level);
      const std::vector<Ciphertext> all = rotate_hoisted(party.c(), x, steps, keys, party.pool);
      ASSERT_EQ(all.size(), steps.size());
      for (size_t i = 0; i < steps.size(); ++i)
        EXPECT_EQ(bytes_of(party.c(), all[i]),
                  bytes_of(party.c(), rotate(party.c(), x, steps[i], keys, party.pool)))
            << "k " << special << " level " << level << " steps " << steps[i];
    }
  }
}

TEST(Evaluate, results_do_not_depend_on_the_number_of_threads) {
  const auto run = [](i64 threads) {
    Party party(small_options(13, 4, 2));
    ThreadPool pool(threads);
    Rng rng(test_seed());
    const std::vector<i64> steps = {1, 5};
    const EvaluationKeys keys = generate_evaluation_keys(
        party.c(), party.secret, full_manifest(party.c(), steps), party.rng, pool);
    const Ciphertext x = party.encrypt(random_values(rng, party.c().slots()));
    Ciphertext y = multiply_relinearise(party.c(), x, x, keys, pool);
    y = rescale(party.c(), y, pool);
    y = rotate(party.c(), rotate(party.c(), y, 1, keys, pool), 5, keys, pool);
    std::vector<std::byte> out = bytes_of(party.c(), y);
    const std::vector<std::byte> key_bytes = save_evaluation_keys(party.c(), keys);
    out.insert(out.end(), key_bytes.begin(), key_bytes.end());
    return out;
  };
  const std::vector<std::byte> one = run(1);
  EXPECT_EQ(one, run(2));
  EXPECT_EQ(one, run(5));
}

TEST(Evaluate, random_circuits_agree_with_complex_doubles) {
  Party party(small_options(10, 6, 2));
  const Context& c = party.c();
  const std::vector<i64> steps = {1, 4, 31, -2};
  const EvaluationKeys keys = party.keys(full_manifest(c, steps));
  for (u64 run = 0; run < 12; ++run) {
    Rng rng(test_seed() + run);
    SCOPED_TRACE(testing::Message() << "seed " << test_seed() + run);
    std::vector<Complex> x(size_t(c.slots()));
    for (Complex& v : x) v = {rng.uniform(-0.7, 0.7), rng.uniform(-0.7, 0.7)};
    Ciphertext cx = encrypt_symmetric(c, party.secret, encode(c, x, party.scale(), 6), party.rng);
    std::string trace;
    while (cx.level() > 0) {
      const int op = int(rng.below(7));
      trace += "0123456"[op];
      if (op == 0) {
        cx = rescale(c, square_relinearise(c, cx, keys, party.pool), party.pool);
        for (Complex& v : x) v *= v;
      } else if (op == 1) {
        const i64 s = steps[size_t(rng.below(4))];
        cx = rotate(c, cx, s, keys, party.pool);
        const std::vector<Complex> old = x;
        for (i64 i = 0; i < c.slots(); ++i)
          x[size_t(i)] = old[size_t((i + s + c.slots()) % c.slots())];
      } else if (op == 2) {
        cx = conjugate(c, cx, keys, party.pool);
        for (Complex& v : x) v = std::conj(v);
      } else if (op == 3) {
        std::vector<Complex> y(x.size());
        for (Complex& v : y) v = {rng.uniform(-0.7, 0.7), rng.uniform(-0.7, 0.7)};
        const double q = double(c.params().q(cx.level()));
        cx = rescale(c, multiply_plain(c, cx, encode(c, y, q, cx.level())), party.pool);
        for (size_t i = 0; i < x.size(); ++i) x[i] *= y[i];
      } else if (op == 4) {
        const double v = rng.uniform(-0.1, 0.1);
        cx = add_constant(c, cx, v);
        for (Complex& value : x) value += v;
      } else if (op == 5) {
        const double q = double(c.params().q(cx.level()));
        cx = rescale(c, multiply_by_constant(c, cx, 0.75, q), party.pool);
        for (Complex& v : x) v *= 0.75;
      } else {
        const Ciphertext y = conjugate(c, cx, keys, party.pool);
        cx = rescale(c, multiply_relinearise(c, cx, y, keys, party.pool), party.pool);
        for (Complex& v : x) v = std::norm(v);
      }
      const std::vector<Complex> found = decode_complex(c, decrypt(c, party.secret, cx));
      const Precision p = compare(found, x);
      ASSERT_GT(p.bits_min, 18) << "after " << trace << ": " << p.text();
    }
  }
}

TEST(Evaluate, secure_parameters_multiply_and_rotate) {
  CkksOptions o;
  o.log_n = 13;
  o.log_q = {48, 40};
  o.log_p = {48};
  o.security = Security::bits128;
  for (SecretKind kind : {SecretKind::ternary, SecretKind::sparse}) {
    if (kind == SecretKind::sparse) {
      o.log_n = 15;
      o.secret = kind;
    }
    Party party(o);
    Rng rng(test_seed());
    const std::vector<i64> steps = {9};
    const EvaluationKeys keys = party.keys(full_manifest(party.c(), steps));
    const std::vector<double> x = random_values(rng, party.c().slots());
    std::vector<double> expected = rotated(x, 9);
    for (double& v : expected) v *= v;
    Ciphertext y = rotate(party.c(), party.encrypt(x), 9, keys, party.pool);
    y = rescale(party.c(), square_relinearise(party.c(), y, keys, party.pool), party.pool);
    const Precision p = compare(party.decrypted(y), expected);
    EXPECT_GT(p.bits_min, 20) << party.c().params().security_text() << ": " << p.text();
  }
}

TEST(Evaluate, errors_say_what_was_expected_and_found) {
  Party party(small_options(10, 3, 2)), other(small_options(10, 3, 1));
  const Context& c = party.c();
  const std::vector<double> one = {1};
  KeyManifest manifest;
  manifest.add_rotation(1, 1, c.slots());
  manifest.relinearisation_level = 1;
  const EvaluationKeys keys = party.keys(manifest), foreign_keys = other.keys({});
  const Ciphertext x = party.encrypt(one), low = party.encrypt(one, 1),
                   zero = party.encrypt(one, 0), foreign = other.encrypt(one);
  Ciphertext scaled = x.clone();
  scaled.set_scale(x.scale() * 1.001);
  const Ciphertext three = square(c, low, party.pool);
  const Plaintext p = encode(c, one, party.scale(), 1),
                  extended = encode(c, one, party.scale(), 3, Basis::qp);
  struct Case {
    const char* expected;
    std::function<void()> body;
  };
  const Case cases[] = {
      {"add: expected operands of one level, found 3 and 1", [&] { add(c, x, low); }},
      {"add: expected scales that agree", [&] { add(c, x, scaled); }},
      {"sub: the ciphertext belongs to other parameters", [&] { sub(c, x, foreign); }},
      {"negate: found an empty ciphertext", [&] { negate(c, Ciphertext()); }},
      {"add_plain: expected a plaintext of level 3 or more, found 1", [&] { add_plain(c, x, p); }},
      {"basis q", [&] { multiply_plain(c, x, extended); }},
      {"multiply: expected 2 parts, found 3", [&] { multiply(c, three, low, party.pool); }},
      {"does not fit level 0", [&] { multiply_by_constant(c, zero, 1e10, 0x1p30); }},
      {"does not fit level", [&] { add_constant(c, zero, std::nan("")); }},
      {"keys: the key of rotation 2 is not among the keys; the program's manifest needs it",
       [&] { rotate(c, low, 2, keys, party.pool); }},
      {"keys: the key of rotation 1 is among the keys up to level 1 only, found a ciphertext of "
       "level 3",
       [&] { rotate(c, x, 1, keys, party.pool); }},
      {"rotate: expected 2 parts, found 3", [&] { rotate(c, three, 1, keys, party.pool); }},
      {"the conjugation key is not among", [&] { conjugate(c, low, keys, party.pool); }},
      {"the relinearisation key is among the keys up to level 1 only",
       [&] { relinearise(c, square(c, x, party.pool), keys, party.pool); }},
      {"the evaluation keys belong to other parameters",
       [&] { rotate(c, low, 1, foreign_keys, party.pool); }},
      {"decrypt: the secret key belongs to other parameters", [&] { decrypt(c, other.secret, x); }},
      {"expected scales that agree",
       [&] { match_level_and_scale(c, x, 3, x.scale() * 2, party.pool); }},
      {"at least 2^10", [&] { match_level_and_scale(c, x, 1, 1.0, party.pool); }},
  };
  for (const Case& k : cases) {
    const std::string found = error_of(k.body, ErrorKind::bad_argument);
    EXPECT_NE(found.find(k.expected), std::string::npos)
        << "expected: " << k.expected << "\nfound: " << found;
  }
  EXPECT_NE(error_of([&] { rescale(c, zero, party.pool); }, ErrorKind::out_of_levels)
                .find("rescale: expected a ciphertext of level 1 or more, found level 0"),
            std::string::npos);
  EXPECT_NE(error_of([&] { drop_to_level(c, low, 2); }, ErrorKind::out_of_levels).find("found 2"),
            std::string::npos);
}

TEST(Evaluate, key_generation_refuses_impossible_manifests) {
  Party party(small_options(10, 3, 2)), no_special(small_options(10, 3, 0));
  const auto refuse = [](Party& p, const KeyManifest& m) {
    return error_of([&] { p.keys(m); }, ErrorKind::bad_argument);
  };
  KeyManifest m;
  m.rotations[1] = 4;
  EXPECT_NE(refuse(party, m).find("level of 0 to 3, found 4"), std::string::npos);
  m.rotations = {{512, 1}};
  EXPECT_NE(refuse(party, m).find("rotations of 1 to 511, found 512"), std::string::npos);
  m.rotations = {{1, 1}};
  EXPECT_NE(refuse(no_special, m).find("no special primes"), std::string::npos);
}

}  // namespace
}  // namespace sinter::ckks
