// SPDX-License-Identifier: Apache-2.0
// Saved objects: round trips, and what every kind of damage is called.
#include "ckks/serialize.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "base/file.h"
#include "base/hash.h"
#include "ckks/encrypt.h"
#include "support.h"

namespace sinter::ckks {
namespace {

using Bytes = std::vector<std::byte>;

/// Everything that is saved, of one small party.
struct Saved {
  Party party{small_options(6, 2, 2)};
  KeyManifest manifest;
  Bytes params, fresh, computed, public_key, secret_key, keys;

  Saved() {
    manifest.add_rotation(3, 2, party.c().slots());
    manifest.add_rotation(-1, 0, party.c().slots());
    manifest.relinearisation_level = 1;
    const Ciphertext x = party.encrypt(std::vector<double>{1, 2, 3});
    params = save_params(party.c().params());
    fresh = save_ciphertext(party.c(), x);
    computed = save_ciphertext(party.c(), square(party.c(), x, party.pool));
    public_key =
        save_public_key(party.c(), generate_public_key(party.c(), party.secret, party.rng));
    secret_key = save_secret_key(party.c(), party.secret);
    keys = save_evaluation_keys(party.c(), party.keys(manifest));
  }

  struct Object {
    const char* name;
    const Bytes* bytes;
    std::function<void(std::span<const std::byte>)> load;
  };
  std::vector<Object> objects() {
    const Context& c = party.c();
    return {
        {"params", &params, [](auto data) { load_params(data, "file"); }},
        {"fresh", &fresh, [&](auto data) { load_ciphertext(c, data, "file"); }},
        {"computed", &computed, [&](auto data) { load_ciphertext(c, data, "file"); }},
        {"public key", &public_key, [&](auto data) { load_public_key(c, data, "file"); }},
        {"secret key", &secret_key, [&](auto data) { load_secret_key(c, data, "file"); }},
        {"keys", &keys, [&](auto data) { load_evaluation_keys(c, data, "file", party.pool); }},
    };
  }
};

std::string refusal(const Saved::Object& object, std::span<const std::byte> data) {
  return error_of([&] { object.load(data); }, ErrorKind::bad_input);
}

/// The object with a changed payload and a header that fits it.
Bytes resealed(Bytes bytes, i64 offset, u64 value, i64 size) {
  std::memcpy(bytes.data() + 64 + offset, &value, size_t(size));
  const Digest digest = sha256(std::span<const std::byte>(bytes).subspan(64));
  std::memcpy(bytes.data() + 32, digest.data(), 32);
  return bytes;
}

TEST(Serialize, ciphertexts_and_keys_come_back_bit_for_bit) {
  Saved s;
  const Context& c = s.party.c();
  EXPECT_EQ(save_params(load_params(s.params, "p")), s.params);
  EXPECT_EQ(load_params(s.params, "p").options(), c.params().options());
  EXPECT_EQ(save_ciphertext(c, load_ciphertext(c, s.fresh, "x")), s.fresh);
  EXPECT_EQ(save_ciphertext(c, load_ciphertext(c, s.computed, "x")), s.computed);
  EXPECT_EQ(save_public_key(c, load_public_key(c, s.public_key, "k")), s.public_key);
  EXPECT_EQ(save_secret_key(c, load_secret_key(c, s.secret_key, "k")), s.secret_key);
  const EvaluationKeys keys = load_evaluation_keys(c, s.keys, "k", s.party.pool);
  EXPECT_EQ(keys.manifest(), s.manifest);
  EXPECT_EQ(keys.bytes(), s.manifest.bytes(c.params()));
  EXPECT_EQ(save_evaluation_keys(c, keys), s.keys);
}

TEST(Serialize, loaded_objects_work_together) {
  Saved s;
  const Context& c = s.party.c();
  const SecretKey secret = load_secret_key(c, s.secret_key, "k");
  const EvaluationKeys keys = load_evaluation_keys(c, s.keys, "k", s.party.pool);
  const Ciphertext x = load_ciphertext(c, s.fresh, "x");
  const std::vector<double> y = decode(c, decrypt(c, secret, rotate(c, x, 3, keys, s.party.pool)));
  EXPECT_NEAR(y[size_t(c.slots()) - 3], 1, 1e-6);
  EXPECT_NEAR(y[size_t(c.slots()) - 1], 3, 1e-6);
  const PublicKey public_key = load_public_key(c, s.public_key, "k");
  const Ciphertext z =
      encrypt_public(c, public_key, encode(c, std::vector<double>{5}, 0x1p40, 2), s.party.rng);
  EXPECT_NEAR(decode(c, decrypt(c, secret, z))[0], 5, 1e-6);
}

TEST(Serialize, a_fresh_ciphertext_is_half_as_long_and_a_changed_one_is_not) {
  Saved s;
  const i64 limbs = 3, n = 64;
  EXPECT_EQ(std::ssize(s.fresh), 64 + 40 + 32 + limbs * n * 8);
  const Ciphertext x = load_ciphertext(s.party.c(), s.fresh, "x");
  EXPECT_EQ(std::ssize(save_ciphertext(s.party.c(), negate(s.party.c(), x))),
            64 + 40 + 2 * limbs * n * 8);
}

TEST(Serialize, every_truncation_is_refused) {
  Saved s;
  for (const Saved::Object& object : s.objects()) {
    const std::span<const std::byte> all(*object.bytes);
    for (size_t length = 0; length < all.size(); length += length < 300 ? 1 : 97)
      ASSERT_NE(refusal(object, all.first(length)).find("file: "), std::string::npos)
          << object.name << " of length " << length << ": " << refusal(object, all.first(length));
  }
}

TEST(Serialize, every_flipped_bit_is_refused) {
  Saved s;
  for (const Saved::Object& object : s.objects()) {
    Bytes bytes = *object.bytes;
    for (size_t i = 0; i < bytes.size(); i += i < 600 ? 1 : 29) {
      const std::byte flip = std::byte(1 << (i % 8));
      bytes[i] ^= flip;
      ASSERT_NE(refusal(object, bytes).find("file: "), std::string::npos)
          << object.name << " byte " << i << ": " << refusal(object, bytes);
      bytes[i] ^= flip;
    }
    EXPECT_NO_THROW(object.load(bytes)) << object.name;
  }
}

TEST(Serialize, trailing_bytes_are_refused) {
  Saved s;
  for (const Saved::Object& object : s.objects()) {
    Bytes bytes = *object.bytes;
    bytes.push_back(std::byte(0));
    EXPECT_NE(refusal(object, bytes).find("file: "), std::string::npos) << object.name;
  }
}

TEST(Serialize, another_kind_is_named) {
  Saved s;
  const std::vector<Saved::Object> objects = s.objects();
  EXPECT_NE(refusal(objects[1], s.secret_key).find("expected a ciphertext, found a secret key"),
            std::string::npos);
  EXPECT_NE(refusal(objects[5], s.fresh).find("expected evaluation keys, found a ciphertext"),
            std::string::npos);
  EXPECT_NE(refusal(objects[4], s.public_key).find("expected a secret key, found a public key"),
            std::string::npos);
  const Bytes text(100, std::byte('x'));
  EXPECT_NE(refusal(objects[4], text).find("no sinter header"), std::string::npos);
}

TEST(Serialize, ciphertexts_and_keys_remember_whose_they_are) {
  Saved s;
  const Context& c = s.party.c();
  Ciphertext x = load_ciphertext(c, s.fresh, "x");
  const u64 id = load_secret_key(c, s.secret_key, "s").id();
  EXPECT_NE(id, 0u);
  EXPECT_EQ(x.origin().key, id);
  EXPECT_EQ(load_evaluation_keys(c, s.keys, "k", s.party.pool).key_id(), id);
  EXPECT_EQ(load_public_key(c, s.public_key, "p").key_id, id);
  x.set_origin({id, 77});
  EXPECT_EQ(load_ciphertext(c, save_ciphertext(c, x), "x").origin().program, 77u);
  EXPECT_EQ(x.clone().origin().program, 77u);
  const SecretKey other = generate_secret_key(c, s.party.rng);
  EXPECT_NE(
      error_of([&] { decrypt(c, other, x); }, ErrorKind::bad_argument).find("another secret key"),
      std::string::npos);
}

TEST(Serialize, objects_of_other_parameters_are_refused) {
  Saved s;
  const auto other = Context::create(CkksParams::check(small_options(6, 3, 2)));
  const auto refuse = [&](const auto& body) { return error_of(body, ErrorKind::bad_input); };
  const std::string expected = "made for other parameters";
  EXPECT_NE(refuse([&] { load_ciphertext(*other, s.fresh, "x"); }).find(expected),
            std::string::npos);
  EXPECT_NE(refuse([&] { load_secret_key(*other, s.secret_key, "x"); }).find(expected),
            std::string::npos);
  EXPECT_NE(refuse([&] { load_public_key(*other, s.public_key, "x"); }).find(expected),
            std::string::npos);
  EXPECT_NE(refuse([&] { load_evaluation_keys(*other, s.keys, "x", s.party.pool); }).find(expected),
            std::string::npos);
}

TEST(Serialize, well_sealed_nonsense_is_refused_by_its_content) {
  Saved s;
  const std::vector<Saved::Object> objects = s.objects();
  const auto refuse = [&](size_t object, i64 offset, u64 value, i64 size) {
    return refusal(objects[object], resealed(*objects[object].bytes, offset, value, size));
  };
  const u64 q0 = s.party.c().params().q(0);
  // Ciphertexts start with key id and program, the other objects with the key id.
  EXPECT_NE(refuse(1, 16, 3, 4).find("level of 0 to 2, found 3"), std::string::npos);
  EXPECT_NE(refuse(1, 16, 0xFFFFFFFF, 4).find("level"), std::string::npos);
  EXPECT_NE(refuse(1, 20, 3, 4).find("parts"), std::string::npos);
  EXPECT_NE(refuse(2, 20, 1000000, 4).find("parts"), std::string::npos);
  EXPECT_NE(refuse(2, 24, 0x7FF8000000000000, 8).find("scale"), std::string::npos);
  EXPECT_NE(refuse(2, 24, 0, 8).find("scale"), std::string::npos);
  EXPECT_NE(refuse(2, 32, 7, 4).find("seed flag 7"), std::string::npos);
  EXPECT_NE(refuse(1, 40 + 32, q0, 8).find("below the prime"), std::string::npos);
  EXPECT_EQ(refuse(1, 40 + 32, q0 - 1, 8), "");
  EXPECT_NE(refuse(3, 8 + 32, ~u64(0), 8).find("below the prime"), std::string::npos);
  EXPECT_NE(refuse(4, 8, 3, 1).find("another code"), std::string::npos);
  EXPECT_NE(refuse(0, 4, 99, 4).find("log_n"), std::string::npos);
  EXPECT_NE(refuse(0, 24, 1u << 30, 4).find("out of range"), std::string::npos);
  EXPECT_NE(refuse(0, 24, 65, 4).find("at most 64"), std::string::npos);
}

TEST(Serialize, a_file_of_keys_is_written_whole_and_read_back_mapped) {
  Saved s;
  const std::filesystem::path folder = std::filesystem::temp_directory_path();
  const std::filesystem::path path = folder / "sinter_serialize_test.keys";
  const EvaluationKeys keys = load_evaluation_keys(s.party.c(), s.keys, "k", s.party.pool);
  i64 reported = 0;
  save_evaluation_keys(s.party.c(), keys, path, [&](i64 done, i64 total, std::string_view) {
    reported = done * 10 + total;
  });
  EXPECT_EQ(reported, 33);
  const auto file = MappedFile::open(path);
  EXPECT_EQ(Bytes(file->bytes().begin(), file->bytes().end()), s.keys);
  std::filesystem::remove(path);
  EXPECT_NE(error_of([&] { save_evaluation_keys(s.party.c(), keys, "/no/such/folder/x.keys"); },
                     ErrorKind::io)
                .find("/no/such/folder"),
            std::string::npos);
}

TEST(Serialize, manifests_are_checked_against_the_parameters) {
  const CkksParams params = CkksParams::check(small_options(6, 2, 2));
  KeyManifest manifest;
  manifest.add_rotation(5, 2, 32);
  manifest.add_rotation(5, 1, 32);
  manifest.add_rotation(64, 1, 32);
  EXPECT_EQ(manifest.rotations, (std::map<i64, int>{{5, 2}}));
  KeyManifest more;
  more.add_rotation(-1, 1, 32);
  more.conjugation_level = 1;
  manifest.merge(more);
  EXPECT_EQ(manifest.key_count(), 3);
  const auto parse = [&](const KeyManifest& m) {
    ByteWriter out;
    m.serialise(out);
    ByteReader in(out.view(), "manifest");
    return KeyManifest::parse(in, params);
  };
  EXPECT_EQ(parse(manifest), manifest);
  for (const auto& [rotation, level] :
       std::map<i64, int>{{32, 1}, {1, 3}, {2, -1}, {-4, 1}, {0, 1}}) {
    KeyManifest bad;
    bad.rotations[rotation] = level;
    EXPECT_NE(error_of([&] { parse(bad); }, ErrorKind::bad_input).find("key manifest"),
              std::string::npos)
        << rotation << " " << level;
  }
}

}  // namespace
}  // namespace sinter::ckks
