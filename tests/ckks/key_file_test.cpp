// SPDX-License-Identifier: Apache-2.0
// Expanded files of evaluation keys: the same keys as the compressed form gives, checked lazily,
// shared by threads, and what every kind of damage is called.
#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <cstring>
#include <fstream>
#include <thread>

#include "base/file.h"
#include "base/hash.h"
#include "support.h"

namespace sinter::ckks {
namespace {

using Bytes = std::vector<std::byte>;
namespace fs = std::filesystem;

/// A copy on a 64-byte boundary, as view_evaluation_keys asks for.
struct Aligned {
  std::shared_ptr<std::byte> memory;
  size_t size;

  explicit Aligned(std::span<const std::byte> bytes)
      : memory(static_cast<std::byte*>(std::aligned_alloc(64, (bytes.size() + 64) / 64 * 64)),
               [](std::byte* p) { std::free(p); }),
        size(bytes.size()) {
    std::memcpy(memory.get(), bytes.data(), bytes.size());
  }
  std::span<std::byte> span() const { return {memory.get(), size}; }
};

/// One small party, its compressed keys and a folder with the expanded ones.
struct Files {
  Party party{small_options(5, 2, 2)};
  KeyManifest manifest;
  Bytes compressed;
  fs::path folder, path;

  Files() {
    manifest.add_rotation(3, 2, party.c().slots());
    manifest.add_rotation(-1, 0, party.c().slots());
    manifest.relinearisation_level = 1;
    manifest.conjugation_level = 2;
    manifest.encapsulation_level = 2;
    compressed = save_evaluation_keys(party.c(), party.keys(manifest));
    std::string pattern = (fs::temp_directory_path() / "sinter_key_file_XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    path = expanded_path(folder / "server.keys");
    expand_evaluation_keys(party.c(), compressed, "compressed", path, party.pool);
  }
  ~Files() { fs::remove_all(folder); }

  Bytes expanded() const {
    const auto file = MappedFile::open(path);
    return {file->bytes().begin(), file->bytes().end()};
  }
  EvaluationKeys view(std::span<const std::byte> bytes) const {
    const Aligned copy(bytes);
    return view_evaluation_keys(party.c(), copy.span(), copy.memory, "file");
  }
  /// Opens and uses every key.
  void use_all(std::span<const std::byte> bytes) const {
    const EvaluationKeys keys = view(bytes);
    for (i64 i = 0; i < keys.manifest().key_count(); ++i) keys.key(i);
  }
  std::string refusal(std::span<const std::byte> bytes) const {
    return error_of([&] { use_all(bytes); }, ErrorKind::bad_input);
  }
};

/// The index of a file, changed, under a header that fits it.
Bytes resealed(Bytes bytes, i64 offset, u64 value, i64 size) {
  u64 payload;
  std::memcpy(&payload, bytes.data() + 24, 8);
  std::memcpy(bytes.data() + 64 + offset, &value, size_t(size));
  const Digest digest = sha256(std::span<const std::byte>(bytes).subspan(64, payload));
  std::memcpy(bytes.data() + 32, digest.data(), 32);
  return bytes;
}

/// The checksum of a record as its file describes it, word by word.
Digest record_checksum(std::span<const std::byte> record) {
  u64 lanes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  for (size_t i = 0; i < record.size() / 8; ++i) {
    u64 word;
    std::memcpy(&word, record.data() + 8 * i, 8);
    lanes[i % 8] = std::rotl((lanes[i % 8] ^ word) * 0x9E3779B97F4A7C15, 31);
  }
  return sha256(std::as_bytes(std::span(lanes)));
}

void expect_same(const ring::RnsPoly& x, const ring::RnsPoly& y) {
  ASSERT_EQ(x.limbs(), y.limbs());
  for (int i = 0; i < x.limbs(); ++i)
    EXPECT_TRUE(std::ranges::equal(x.limb(i), y.limb(i))) << "limb " << i;
}

TEST(KeyFile, a_mapped_key_is_the_loaded_key_bit_for_bit) {
  Files f;
  const EvaluationKeys mapped = map_evaluation_keys(f.party.c(), f.path);
  const EvaluationKeys loaded = load_evaluation_keys(f.party.c(), f.compressed, "k", f.party.pool);
  EXPECT_EQ(mapped.manifest(), f.manifest);
  EXPECT_EQ(mapped.key_id(), loaded.key_id());
  EXPECT_EQ(mapped.params_hash(), loaded.params_hash());
  for (i64 i = 0; i < f.manifest.key_count(); ++i) {
    const SwitchingKey &x = mapped.key(i), &y = loaded.key(i);
    EXPECT_EQ(x.level, y.level);
    EXPECT_EQ(x.galois_element, y.galois_element);
    EXPECT_EQ(x.permutation, y.permutation);
    ASSERT_EQ(x.digits.size(), y.digits.size());
    for (size_t d = 0; d < x.digits.size(); ++d) {
      expect_same(x.digits[d].b, y.digits[d].b);
      expect_same(x.digits[d].a, y.digits[d].a);
    }
  }
  EXPECT_EQ(save_evaluation_keys(f.party.c(), mapped), f.compressed);
}

TEST(KeyFile, a_key_is_checked_by_one_of_those_that_share_the_work) {
  Files f;
  const Context& c = f.party.c();
  const auto ours = KeyChecks::create(f.manifest.key_count());
  const auto theirs = KeyChecks::attach(::dup(ours->descriptor()));
  EXPECT_TRUE(theirs->claim(1));
  EXPECT_FALSE(ours->claim(1));
  EXPECT_EQ(ours->unconfirmed(), std::vector<i64>{1});
  std::vector<std::byte> bytes;
  {
    const auto file = MappedFile::open(f.path);
    bytes.assign(file->bytes().begin(), file->bytes().end());
  }
  // The last key is damaged: who must check it sees that, who must not goes on.
  const i64 record = (std::ssize(bytes) / 4096 - 1) * 4096;
  bytes[size_t(record)] ^= std::byte(1);
  {
    AtomicFile out(f.path);
    out.write(bytes);
    out.commit();
  }
  const i64 last = f.manifest.key_count() - 1;
  EXPECT_TRUE(theirs->claim(last));
  const auto mapped = [&] { return map_evaluation_keys(c, MappedFile::open(f.path), ours); };
  EXPECT_EQ(mapped().key(0).level, f.manifest.slots(c.params())[0].level);
  EXPECT_EQ(ours->unconfirmed(), (std::vector<i64>{1, last}));
  EXPECT_NO_THROW(mapped().key(last));
  theirs->confirm(last);
  EXPECT_EQ(ours->unconfirmed(), std::vector<i64>{1});
  EXPECT_NE(error_of([&] { map_evaluation_keys(c, f.path).key(last); }, ErrorKind::bad_input), "");
  EXPECT_THROW(KeyChecks::attach(-1), Error);
}

TEST(KeyFile, operations_give_the_same_bits_with_mapped_keys_and_after_the_file_is_gone) {
  Files f;
  const Context& c = f.party.c();
  const EvaluationKeys loaded = load_evaluation_keys(c, f.compressed, "k", f.party.pool);
  EvaluationKeys mapped = map_evaluation_keys(c, f.path);
  fs::remove(f.path);
  const EvaluationKeys moved = std::move(mapped);
  const Ciphertext x = f.party.encrypt(std::vector<double>{1, 2, 3});
  EXPECT_EQ(save_ciphertext(c, rotate(c, x, 3, moved, f.party.pool)),
            save_ciphertext(c, rotate(c, x, 3, loaded, f.party.pool)));
  const Ciphertext low = drop_to_level(c, x, 1);
  EXPECT_EQ(save_ciphertext(c, square_relinearise(c, low, moved, f.party.pool)),
            save_ciphertext(c, square_relinearise(c, low, loaded, f.party.pool)));
}

TEST(KeyFile, keys_are_read_when_they_are_first_used_and_not_before) {
  Files f;
  const Context& c = f.party.c();
  const EvaluationKeys keys = map_evaluation_keys(c, f.path);
  EXPECT_EQ(keys.bytes(), 0);
  keys.will_need(c, 3);
  const SwitchingKey& key = keys.galois(c, 3, 2);
  EXPECT_EQ(keys.bytes(), key.bytes());
  const u64 first = key.digits[0].b.limb(0)[0];
  keys.release(c, 3);
  keys.release(c, 17);  // not there: passed over
  EXPECT_EQ(keys.galois(c, 3, 2).digits[0].b.limb(0)[0], first);
  EXPECT_NE(error_of([&] { keys.galois(c, -1, 1); }, ErrorKind::bad_argument).find("level 0 only"),
            std::string::npos);
  EXPECT_NE(error_of([&] { keys.galois(c, 5, 0); }, ErrorKind::bad_argument).find("rotation 5"),
            std::string::npos);
}

TEST(KeyFile, threads_that_need_one_key_at_once_share_it) {
  Files f;
  const EvaluationKeys keys = map_evaluation_keys(f.party.c(), f.path);
  std::vector<const SwitchingKey*> seen(8);
  std::vector<std::jthread> threads;
  for (size_t t = 0; t < seen.size(); ++t)
    threads.emplace_back([&, t] {
      for (i64 i = 0; i < f.manifest.key_count(); ++i) seen[t] = &keys.key(i);
    });
  threads.clear();
  for (const SwitchingKey* key : seen) EXPECT_EQ(key, seen[0]);
  EXPECT_EQ(keys.bytes(), f.manifest.bytes(f.party.c().params()));
}

TEST(KeyFile, the_threads_that_expand_do_not_change_the_file) {
  Files f;
  ThreadPool three(3);
  const fs::path other = f.folder / "other";
  i64 last = 0;
  expand_evaluation_keys(f.party.c(), f.compressed, "k", other, three,
                         [&](i64 done, i64 total, std::string_view) { last = done * 10 + total; });
  EXPECT_EQ(last, 66);
  const auto file = MappedFile::open(other);
  EXPECT_EQ(Bytes(file->bytes().begin(), file->bytes().end()), f.expanded());
  EXPECT_TRUE(is_expansion_of(file->bytes(), f.compressed, "k"));
  const Bytes others = save_evaluation_keys(f.party.c(), f.party.keys(f.manifest));
  EXPECT_FALSE(is_expansion_of(file->bytes(), others, "k"));
}

TEST(KeyFile, every_truncation_is_refused_on_opening) {
  Files f;
  const Bytes all = f.expanded();
  for (size_t length = 0; length < all.size(); length += length < 1000 ? 1 : 61)
    ASSERT_NE(error_of([&] { f.view(std::span(all).first(length)); }, ErrorKind::bad_input)
                  .find("file: "),
              std::string::npos)
        << length;
}

TEST(KeyFile, every_flipped_bit_is_refused_and_in_a_record_names_the_key) {
  Files f;
  Bytes bytes = f.expanded();
  EXPECT_EQ(f.refusal(bytes), "");
  for (size_t i = 0; i < bytes.size(); i += i < 4096 ? 1 : 31) {
    const std::byte flip = std::byte(1 << (i % 8));
    bytes[i] ^= flip;
    const std::string text = f.refusal(bytes);
    ASSERT_NE(text.find("file: "), std::string::npos) << "byte " << i;
    if (i >= 4096) {
      ASSERT_NE(text.find("checksum of the "), std::string::npos) << text;
    }
    bytes[i] ^= flip;
  }
}

TEST(KeyFile, a_damaged_key_is_refused_every_time_and_the_others_work) {
  Files f;
  Bytes bytes = f.expanded();
  bytes.back() ^= std::byte(1);  // padding of the last key, the one from the sparse secret
  const EvaluationKeys keys = f.view(bytes);
  for (int i = 0; i < 2; ++i)
    EXPECT_NE(error_of([&] { keys.to_dense(0); }, ErrorKind::bad_input)
                  .find("file: damaged: the checksum of the key from the sparse secret"),
              std::string::npos);
  EXPECT_NO_THROW(keys.to_sparse());
  EXPECT_NO_THROW(keys.galois(f.party.c(), 3, 2));
}

TEST(KeyFile, trailing_bytes_other_kinds_and_other_parameters_are_refused) {
  Files f;
  Bytes bytes = f.expanded();
  bytes.push_back(std::byte(0));
  EXPECT_NE(f.refusal(bytes).find("file: "), std::string::npos);
  EXPECT_NE(f.refusal(f.compressed).find("expected expanded evaluation keys, found evaluation"),
            std::string::npos);
  EXPECT_NE(error_of([&] { load_evaluation_keys(f.party.c(), f.expanded(), "k", f.party.pool); },
                     ErrorKind::bad_input)
                .find("found expanded evaluation keys"),
            std::string::npos);
  const auto other = Context::create(CkksParams::check(small_options(5, 3, 2)));
  EXPECT_NE(error_of([&] { map_evaluation_keys(*other, f.path); }, ErrorKind::bad_input)
                .find("made for other parameters"),
            std::string::npos);
  EXPECT_EQ(kind_of(f.compressed, "k"), ObjectKind::evaluation_keys);
  EXPECT_EQ(kind_of(f.expanded(), "k"), ObjectKind::expanded_keys);
  EXPECT_NE(error_of([&] { kind_of({}, "k"); }, ErrorKind::bad_input), "");
  std::ofstream(f.path, std::ios::trunc);
  EXPECT_NE(error_of([&] { map_evaluation_keys(f.party.c(), f.path); }, ErrorKind::bad_input), "");
}

TEST(KeyFile, well_sealed_nonsense_is_refused_by_its_content) {
  Files f;
  const Bytes good = f.expanded();
  for (u64 stride : {u64(0), u64(24), u64(33), u64(1) << 40, ~u64(0)})
    EXPECT_NE(f.refusal(resealed(good, 32, stride, 8)).find("words between limbs"),
              std::string::npos)
        << stride;
  EXPECT_NE(f.refusal(resealed(good, 32, 48, 8)).find("file: "), std::string::npos);
  EXPECT_NE(f.refusal(resealed(good, 48, u64(-3), 8)).find("key manifest"), std::string::npos);
  EXPECT_NE(f.refusal(resealed(good, 56, 2, 8)).find("further kind"), std::string::npos);
  EXPECT_NE(f.refusal(resealed(good, 64, 9, 8)).find("of kind 9"), std::string::npos);
  EXPECT_NE(f.refusal(resealed(good, 72, 77, 8)).find("level"), std::string::npos);
}

TEST(KeyFile, a_residue_that_is_not_below_its_prime_is_refused_under_a_right_checksum) {
  Files f;
  Bytes bytes = f.expanded();
  u64 payload;
  std::memcpy(&payload, bytes.data() + 24, 8);
  // The last record, to_dense at level 2: 2 digits of 5 limbs, twice.
  const size_t size = 2 * 2 * 5 * (32 + 8) * 8, padded = (size + 4095) / 4096 * 4096;
  const size_t start = bytes.size() - padded;
  const auto with_residue = [&](size_t limb, u64 value) {
    Bytes changed = bytes;
    std::memcpy(changed.data() + start + limb * (32 + 8) * 8, &value, 8);
    const Digest digest = record_checksum(std::span(changed).subspan(start));
    std::memcpy(changed.data() + 64 + payload - 32, digest.data(), 32);
    return f.refusal(resealed(changed, 0, 0, 0));
  };
  const CkksParams& params = f.party.c().params();
  EXPECT_EQ(with_residue(0, params.q(0) - 1), "");
  EXPECT_NE(with_residue(0, params.q(0)).find("from the sparse secret: expected residues below"),
            std::string::npos);
  EXPECT_EQ(with_residue(19, params.p()[1] - 1), "");
  EXPECT_NE(with_residue(19, params.p()[1]).find("expected residues below"), std::string::npos);
}

TEST(KeyFile, keys_generated_into_a_file_are_those_generated_in_memory_and_saved) {
  Files f;
  const Context& c = f.party.c();
  for (i64 threads : {1, 3}) {
    ThreadPool pool(threads);
    ring::SecretRng one(secret_seed(7)), two(secret_seed(7));
    const fs::path path = f.folder / "generated.keys";
    i64 last = 0;
    generate_evaluation_key_file(
        c, f.party.secret, f.manifest, one, path, pool,
        [&](i64 done, i64 total, std::string_view) { last = done * 10 + total; });
    EXPECT_EQ(last, 55 + 11);
    const auto file = MappedFile::open(path);
    EXPECT_EQ(Bytes(file->bytes().begin(), file->bytes().end()),
              save_evaluation_keys(
                  c, generate_evaluation_keys(c, f.party.secret, f.manifest, two, f.party.pool)));
  }
  KeyManifest bad;
  bad.add_rotation(1, 9, c.slots());
  EXPECT_NE(error_of(
                [&] {
                  generate_evaluation_key_file(c, f.party.secret, bad, f.party.rng,
                                               f.folder / "never", f.party.pool);
                },
                ErrorKind::bad_argument),
            "");
  EXPECT_FALSE(fs::exists(f.folder / "never"));
}

TEST(KeyFile, a_file_without_keys_is_a_file) {
  Files f;
  const Bytes none = save_evaluation_keys(f.party.c(), f.party.keys({}));
  expand_evaluation_keys(f.party.c(), none, "none", f.path, f.party.pool);
  EXPECT_EQ(map_evaluation_keys(f.party.c(), f.path).manifest().key_count(), 0);
}

TEST(KeyFile, without_special_primes_there_are_no_keys_and_they_take_no_bytes) {
  CkksOptions options = small_options(10, 3, 0);
  const CkksParams params = CkksParams::check(small_options(10, 3, 0));
  KeyManifest manifest;
  manifest.relinearisation_level = 2;
  manifest.add_rotation(1, 2, params.slots());
  EXPECT_EQ(manifest.bytes(params), 0);
}

TEST(KeyFile, damaged_keys_are_not_expanded_and_leave_no_file) {
  Files f;
  Bytes bytes = f.compressed;
  bytes.back() ^= std::byte(1);
  const fs::path out = f.folder / "never";
  EXPECT_NE(error_of([&] { expand_evaluation_keys(f.party.c(), bytes, "bad", out, f.party.pool); },
                     ErrorKind::bad_input)
                .find("bad: damaged: the checksum of the key from the sparse secret"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(out));
  EXPECT_EQ(std::distance(fs::directory_iterator(f.folder), {}), 1);
}

}  // namespace
}  // namespace sinter::ckks
