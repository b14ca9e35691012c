// SPDX-License-Identifier: Apache-2.0
// Which parameters are accepted, and what the refusals say.
#include "ckks/params.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "support.h"

namespace sinter::ckks {
namespace {

CkksOptions typical() {
  CkksOptions o;
  o.log_n = 15;
  o.log_q.assign(13, 40);
  o.log_q[0] = 48;
  o.log_p.assign(4, 48);
  return o;
}

std::string refusal(const CkksOptions& o) {
  return error_of([&] { CkksParams::check(o); }, ErrorKind::bad_argument);
}

TEST(Params, the_typical_set_is_secure_and_says_so) {
  const CkksParams p = CkksParams::check(typical());
  EXPECT_EQ(p.max_level(), 12);
  EXPECT_EQ(p.slots(), 16384);
  EXPECT_EQ(p.scale(), 0x1p40);
  EXPECT_NEAR(p.log2_qp(), 48 + 12 * 40 + 4 * 48, 0.1);
  EXPECT_EQ(p.log2_qp_limit(), 868);
  EXPECT_EQ(p.security_text(),
            "128-bit classical, ternary secret, N = 2^15, log2 QP = 720.0 of at most 868");
  std::set<u64> all(p.q().begin(), p.q().end());
  all.insert(p.p().begin(), p.p().end());
  EXPECT_EQ(all.size(), 17u);
}

TEST(Params, the_product_of_the_ciphertext_primes_stays_near_the_scale) {
  const CkksParams p = CkksParams::check(typical());
  double log2_ratio = 0;
  for (int level = p.max_level(); level > 0; --level) {
    log2_ratio += std::log2(double(p.q(level))) - 40;
    EXPECT_LT(std::abs(log2_ratio), 1e-4) << level;
  }
}

TEST(Params, insecure_sets_are_refused_unless_asked_for_by_name) {
  for (i64 log_n = 10; log_n <= 17; ++log_n) {
    constexpr double kLimit[] = {26, 53, 106, 214, 430, 868, 1747, 3523};
    const double limit = kLimit[log_n - 10];
    CkksOptions o;
    o.log_n = log_n;
    o.log_scale = 20;
    // As many primes as fit; one more must be refused.
    const int bits = log_n < 12 ? 24 : 45;
    o.log_q.assign(std::min<size_t>(64, size_t(limit / (bits + 0.01))), bits);
    if (o.log_q.size() < 64) {
      EXPECT_EQ(refusal(o), "") << log_n;
      o.log_q.push_back(bits);
      const std::string text = refusal(o);
      EXPECT_NE(text.find("insecure"), std::string::npos) << log_n << ": " << text;
      EXPECT_NE(text.find(std::to_string(int(limit))), std::string::npos) << text;
      o.security = Security::none_for_tests;
      EXPECT_EQ(refusal(o), "");
      EXPECT_NE(CkksParams::check(o).security_text().find("NO SECURITY"), std::string::npos);
    }
  }
}

TEST(Params, special_primes_count_towards_security) {
  CkksOptions o = typical();
  o.log_p.assign(8, 48);
  EXPECT_NE(refusal(o).find("insecure"), std::string::npos);
}

TEST(Params, sparse_secrets_have_their_own_lines) {
  CkksOptions o = typical();
  o.secret = SecretKind::sparse;
  EXPECT_EQ(refusal(o), "");
  EXPECT_EQ(CkksParams::check(o).log2_qp_limit(), 768);
  o.log_p.assign(6, 48);
  EXPECT_NE(refusal(o).find("at most 768"), std::string::npos);
  o = typical();
  o.secret = SecretKind::sparse;
  o.hamming_weight = 64;
  EXPECT_NE(refusal(o).find("hamming_weight >= 192"), std::string::npos);
  o.hamming_weight = 192;
  o.log_n = 14;
  EXPECT_NE(refusal(o).find("log_n 15 or 16"), std::string::npos);
}

TEST(Params, refusals_name_the_field_the_value_and_the_range) {
  struct Case {
    const char* expected;
    void (*change)(CkksOptions&);
  };
  const Case cases[] = {
      {"log_n: expected 4 to 17, found 18", [](CkksOptions& o) { o.log_n = 18; }},
      {"log_n: expected 4 to 17, found -1", [](CkksOptions& o) { o.log_n = -1; }},
      {"log_q: expected 1 to 64 primes, found 0", [](CkksOptions& o) { o.log_q.clear(); }},
      {"20 to 48 bits, found 49", [](CkksOptions& o) { o.log_q[3] = 49; }},
      {"log_p: expected sizes of 20 to 48 bits, found 60", [](CkksOptions& o) { o.log_p[0] = 60; }},
      {"log_p: expected 0 to 16 primes, found 17", [](CkksOptions& o) { o.log_p.assign(17, 48); }},
      {"log_scale: expected 10 to 60, found 61", [](CkksOptions& o) { o.log_scale = 61; }},
      {"the special primes give", [](CkksOptions& o) { o.log_p.assign(4, 30); }},
      {"no 128-bit security line", [](CkksOptions& o) { o.log_n = 9; }},
      {"found only", [](CkksOptions& o) {
         o.log_n = 17;
         o.log_q.assign(40, 21);
       }}};
  for (const Case& c : cases) {
    CkksOptions o = typical();
    c.change(o);
    EXPECT_NE(refusal(o).find(c.expected), std::string::npos)
        << "expected: " << c.expected << "\nfound: " << refusal(o);
  }
}

TEST(Params, the_hash_tells_sets_apart) {
  std::set<u64> hashes;
  CkksOptions o = typical();
  hashes.insert(CkksParams::check(o).hash());
  EXPECT_FALSE(hashes.insert(CkksParams::check(o).hash()).second);
  o.log_scale = 39;
  EXPECT_TRUE(hashes.insert(CkksParams::check(o).hash()).second);
  o.log_q.pop_back();
  EXPECT_TRUE(hashes.insert(CkksParams::check(o).hash()).second);
  o.security = Security::none_for_tests;
  EXPECT_TRUE(hashes.insert(CkksParams::check(o).hash()).second);
  o.secret = SecretKind::sparse;
  EXPECT_TRUE(hashes.insert(CkksParams::check(o).hash()).second);
  o.hamming_weight = 200;
  EXPECT_TRUE(hashes.insert(CkksParams::check(o).hash()).second);
}

}  // namespace
}  // namespace sinter::ckks
