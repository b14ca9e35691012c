// SPDX-License-Identifier: Apache-2.0
// Files of several ciphertexts: round trips, and mixtures that are refused.
#include "ckks/bundle.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/hash.h"
#include "ckks/encoder.h"
#include "ckks/encrypt.h"
#include "support.h"

namespace sinter::ckks {
namespace {

using Bytes = std::vector<std::byte>;

constexpr i64 kIndex = 64, kEntryRow = kIndex + 40, kRowBytes = 40;

struct Files {
  Party party{small_options(6, 2, 2)};

  std::vector<Ciphertext> ciphertexts(i64 count, const Origin& origin) {
    std::vector<Ciphertext> all;
    for (i64 k = 0; k < count; ++k) {
      all.push_back(party.encrypt(std::vector<double>{double(k)}));
      all.back().set_origin(origin);
    }
    return all;
  }
  Bytes bundle(i64 count, i64 per_run, i64 images, const Origin& origin = {7, 8}) {
    return save_bundle(party.c(), ciphertexts(count, origin), per_run, images);
  }
  double first_slot(const Ciphertext& x) {
    Ciphertext anyone = x.clone();
    anyone.set_origin({});
    return decode(party.c(), decrypt(party.c(), party.secret, anyone))[0];
  }
};

/// The index's digest made to fit again.
void reseal(Bytes& bytes, i64 count) {
  const Digest digest =
      sha256(std::span<const std::byte>(bytes).subspan(64, size_t(40 + count * kRowBytes)));
  std::memcpy(bytes.data() + 32, digest.data(), 32);
}

/// What loading all of it says.
std::string refusal(const Context& context, std::span<const std::byte> bytes) {
  return error_of(
      [&] {
        const Bundle bundle(context, bytes, "file");
        for (i64 r = 0; r < bundle.runs(); ++r) bundle.run(r);
      },
      ErrorKind::bad_input);
}

TEST(Bundle, comes_back_run_by_run_in_order) {
  Files f;
  const Bytes bytes = f.bundle(6, 2, 5);
  const Bundle bundle(f.party.c(), bytes, "file");
  EXPECT_EQ(bundle.images(), 5);
  EXPECT_EQ(bundle.per_run(), 2);
  EXPECT_EQ(bundle.runs(), 3);
  EXPECT_EQ(bundle.origin().key, 7u);
  EXPECT_EQ(bundle.origin().program, 8u);
  for (i64 r = 0; r < 3; ++r) {
    const std::vector<Ciphertext> run = bundle.run(r);
    ASSERT_EQ(run.size(), 2u);
    for (i64 k = 0; k < 2; ++k) EXPECT_NEAR(f.first_slot(run[size_t(k)]), double(2 * r + k), 1e-5);
  }
  EXPECT_THROW(bundle.run(3), Error);
}

TEST(Bundle, refuses_to_mix_origins_or_to_count_wrong) {
  Files f;
  std::vector<Ciphertext> mixed = f.ciphertexts(2, {7, 8});
  mixed[1].set_origin({7, 9});
  EXPECT_THROW(save_bundle(f.party.c(), mixed, 2, 1), Error);
  EXPECT_THROW(f.bundle(3, 2, 1), Error);
  EXPECT_THROW(f.bundle(2, 1, 0), Error);
  EXPECT_THROW(save_bundle(f.party.c(), {}, 1, 1), Error);
}

TEST(Bundle, refuses_exchanged_repeated_and_foreign_parts) {
  Files f;
  const Bytes bytes = f.bundle(2, 2, 1), other = f.bundle(2, 2, 1);
  const size_t first = 64 + 40 + 2 * kRowBytes, size = (bytes.size() - first) / 2;
  Bytes exchanged = bytes, repeated = bytes, foreign = bytes;
  std::rotate(exchanged.begin() + i64(first), exchanged.begin() + i64(first + size),
              exchanged.end());
  std::memcpy(repeated.data() + first + size, repeated.data() + first, size);
  std::memcpy(foreign.data() + first, other.data() + first, size);
  for (const Bytes& bad : {exchanged, repeated, foreign})
    EXPECT_NE(refusal(f.party.c(), bad).find("not the one that belongs here"), std::string::npos);
  // Even with an index that names it: the parts then say what they are of.
  const Bytes stranger = f.bundle(2, 2, 1, {7, 9});
  Bytes named = bytes;
  std::memcpy(named.data() + first, stranger.data() + first, size);
  std::memcpy(named.data() + kEntryRow + 8, stranger.data() + kEntryRow + 8, 32);
  reseal(named, 2);
  EXPECT_NE(refusal(f.party.c(), named).find("another key or program"), std::string::npos);
}

TEST(Bundle, refuses_truncation_flips_and_other_kinds) {
  Files f;
  const Bytes bytes = f.bundle(2, 1, 2);
  for (size_t length = 0; length < bytes.size(); length += length < 300 ? 1 : 97)
    ASSERT_NE(refusal(f.party.c(), std::span(bytes).first(length)).find("file"), std::string::npos)
        << length;
  for (size_t at = 0; at < bytes.size(); at += at < 400 ? 1 : 53) {
    Bytes flipped = bytes;
    flipped[at] ^= std::byte(4);
    ASSERT_FALSE(refusal(f.party.c(), flipped).empty()) << at;
  }
  Bytes longer = bytes;
  longer.push_back(std::byte(0));
  EXPECT_NE(refusal(f.party.c(), longer).find("follow the end"), std::string::npos);
  const Bytes single = save_ciphertext(f.party.c(), f.ciphertexts(1, {7, 8})[0]);
  EXPECT_NE(refusal(f.party.c(), single).find("expected a file of ciphertexts"), std::string::npos);
}

TEST(Bundle, counts_in_the_index_are_bounded_by_the_bytes) {
  Files f;
  const Bytes bytes = f.bundle(2, 2, 1);
  const u64 huge = u64(1) << 60;
  for (const i64 offset : {i64(16), i64(24), i64(32), i64(40)}) {
    for (const u64 value : {u64(0), huge, ~u64(0)}) {
      Bytes bad = bytes;
      std::memcpy(bad.data() + kIndex + offset, &value, 8);
      reseal(bad, 2);
      EXPECT_FALSE(refusal(f.party.c(), bad).empty()) << offset << " " << value;
    }
  }
}

}  // namespace
}  // namespace sinter::ckks
