// SPDX-License-Identifier: Apache-2.0
// SHA-256 against the published vectors; instruction sets and timers.
#include "base/hash.h"

#include <algorithm>

#include "base/cpu.h"
#include "base/timer.h"
#include "tests/base/base_support.h"

namespace sinter {
namespace {

std::string sha(std::string_view text) {
  return hex(sha256(std::as_bytes(std::span(text.data(), text.size()))));
}

// FIPS 180-2, appendix B.
TEST(Hash, gives_the_published_digests) {
  EXPECT_EQ(sha(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Hash, the_short_form_is_the_first_eight_bytes) {
  const std::string_view text = "abc";
  EXPECT_EQ(short_hash(std::as_bytes(std::span(text.data(), text.size()))), 0xeacf018fbf1678baU);
}

TEST(Cpu, scalar_always_runs_and_the_active_set_is_among_the_runnable) {
  const std::vector<Isa> all = runnable_isas();
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all.front(), Isa::scalar);
  EXPECT_NE(std::find(all.begin(), all.end(), active_isa()), all.end());
  EXPECT_EQ(name(Isa::scalar), "scalar");
  EXPECT_EQ(name(Isa::avx2), "avx2");
  EXPECT_EQ(name(Isa::avx512ifma), "avx512ifma");
}

TEST(Timer, moves_forward) {
  const Timer t;
  volatile double sink = 0;
  while (t.cpu_s() < 0.01) sink = sink + 1;
  EXPECT_GT(t.wall_s(), 0);
  EXPECT_GT(peak_memory_bytes(), 1 << 20);
}

}  // namespace
}  // namespace sinter
