// SPDX-License-Identifier: Apache-2.0
// The expanded file of evaluation keys, for mapping:
//
//   header | index (key_file.cpp) | zeros to 4096 | record per key, zeros to 4096
//
// A record is, digit after digit, the limbs of b and then the limbs of a, each followed by zeros to
// the stride: a limb lies as RnsPoly has it in memory, and a key is whole pages, so that advice to
// the system concerns one key. Padding counts in the checksum.
//
// The checksum runs at the speed of memory and is there for accidents, as all digests here: eight
// lanes, word w of a limb going to lane w mod 8 by  h = rotl((h xor w) * K, 31), K odd; then
// SHA-256 of the lanes. Every step is one to one in h and in w, so damage to one word of a lane
// always shows, any other escapes with probability 2^-64.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "ckks/detail/frame.h"
#include "ckks/detail/key_file.h"
#include "ckks/detail/key_switch.h"
#include "ring/rns.h"

namespace sinter::ckks {
namespace {

using detail::KeyFile;
using detail::KeyRecord;
using ring::RnsPoly;

constexpr i64 kLanes = 8;

class Checksum {
 public:
  /// A multiple of eight words. Returns whether all of them are below q < 2^63: the top bit of
  /// w | (q - 1 - w) is set by every other word.
  bool add(const u64* words, i64 count, u64 q) {
    constexpr u64 kFactor = 0x9E3779B97F4A7C15;
    std::array<u64, kLanes> h = lanes_;
    u64 bits = 0;
    for (i64 i = 0; i < count; i += kLanes)
      for (size_t j = 0; j < kLanes; ++j) {
        const u64 w = words[i + i64(j)];
        h[j] = std::rotl((h[j] ^ w) * kFactor, 31);
        bits |= w | (q - 1 - w);
      }
    lanes_ = h;
    return bits >> 63 == 0;
  }
  Digest digest() const { return sha256(std::as_bytes(std::span(lanes_))); }

 private:
  std::array<u64, kLanes> lanes_{1, 2, 3, 4, 5, 6, 7, 8};
};

/// What a mapped key needs when it is used first; outlives the call that opened the file.
struct View {
  std::shared_ptr<const void> owner;
  std::string name;
  i64 n;
  int max_level;
  std::vector<ring::Modulus> moduli;
  KeyFile file;

  u64 prime(const KeySlot& slot, int limb) const {
    return moduli[size_t(limb <= slot.level ? limb : max_level + limb - slot.level)].value();
  }

  void check(const KeyRecord& record, const u64* words) const {
    const KeySlot& slot = record.slot;
    const i64 count = std::ssize(record.data) / i64(sizeof(u64));
    Checksum checksum;
    const u64* bad = nullptr;  // the first limb that is out of range
    u64 limit = 0;
    i64 at = 0;
    for (int half = 0; half < 2 * slot.digits(); ++half)
      for (int limb = 0; limb < slot.limbs(); ++limb, at += file.stride)
        if (const u64 q = prime(slot, limb);
            !checksum.add(words + at, file.stride, q) && bad == nullptr)
          bad = words + at, limit = q;
    checksum.add(words + at, count - at, 0);
    const Digest found = checksum.digest();
    require(std::ranges::equal(record.digest, std::as_bytes(std::span(found))),
            ErrorKind::bad_input, name, ": damaged: the checksum of ", slot.text(),
            " does not match");
    if (bad == nullptr) return;
    const u64 value = *std::find_if(bad, bad + file.stride, [&](u64 w) { return w >= limit; });
    fail(ErrorKind::bad_input, name, ": ", slot.text(), ": expected residues below the prime ",
         limit, ", found ", value);
  }

  /// checks: may be nullptr; then, and when it says so, the key is checked
  SwitchingKey load(i64 index, KeyChecks* checks) const {
    const KeyRecord& record = file.records[size_t(index)];
    const KeySlot& slot = record.slot;
    const u64* words = reinterpret_cast<const u64*>(record.data.data());
    if (checks == nullptr || checks->claim(index)) {
      check(record, words);
      if (checks != nullptr) checks->confirm(index);
    }
    SwitchingKey key;
    key.level = slot.level;
    key.seed = record.seed;
    const i64 half = slot.limbs() * file.stride;
    for (int d = 0; d < slot.digits(); ++d, words += 2 * half)
      key.digits.push_back({RnsPoly::view(words, n, file.stride, slot.limbs(), owner),
                            RnsPoly::view(words + half, n, file.stride, slot.limbs(), owner)});
    key.galois_element = detail::slot_element(slot, n);
    if (key.galois_element != 0)
      key.permutation = ring::automorphism_permutation(n, key.galois_element);
    return key;
  }
};

std::shared_ptr<const View> open_view(const Context& context, std::span<const std::byte> data,
                                      std::shared_ptr<const void> owner, const std::string& name) {
  SINTER_ASSERT(reinterpret_cast<std::uintptr_t>(data.data()) % 64 == 0);
  KeyFile file = detail::open_key_file(context, data, name, ObjectKind::expanded_keys);
  std::vector<ring::Modulus> moduli;
  for (int i = 0; i <= context.max_level() + context.ring().special_count(); ++i)
    moduli.push_back(context.ring().modulus(i));
  return std::make_shared<const View>(View{std::move(owner), name, context.n(), context.max_level(),
                                           std::move(moduli), std::move(file)});
}

EvaluationKeys keys_of(const Context& context, std::shared_ptr<const View> view,
                       std::function<void(i64, bool)> will_need,
                       std::shared_ptr<KeyChecks> checks = nullptr) {
  EvaluationKeys::Source source;
  for (const KeyRecord& record : view->file.records) source.slots.push_back(record.slot);
  source.will_need = std::move(will_need);
  source.load = [view, checks](i64 i) { return view->load(i, checks.get()); };
  return {context.params().hash(), view->file.manifest, std::move(source), view->file.key_id};
}

/// Writes the record of one key and returns its checksum.
Digest write_record(AtomicFile& out, const SwitchingKey& key, i64 n, i64 stride, i64 bytes) {
  std::vector<u64> padded(size_t(stride), 0);
  Checksum checksum;
  const i64 end = out.position() + bytes;
  const auto write = [&](std::span<const u64> words) {
    checksum.add(words.data(), std::ssize(words), 0);
    out.write(std::as_bytes(words));
  };
  for (const SwitchingKey::Digit& digit : key.digits)
    for (const RnsPoly* half : {&digit.b, &digit.a})
      for (int limb = 0; limb < half->limbs(); ++limb) {
        std::copy_n(half->limb(limb).data(), n, padded.data());
        write(padded);
      }
  const std::vector<u64> zeros(size_t((end - out.position()) / i64(sizeof(u64))), 0);
  write(zeros);
  return checksum.digest();
}

}  // namespace

std::filesystem::path expanded_path(const std::filesystem::path& compressed) {
  return compressed.string() + ".expanded";
}

void expand_evaluation_keys(const Context& context, std::span<const std::byte> data,
                            const std::string& name, const std::filesystem::path& path,
                            ThreadPool& pool, const Progress& progress) {
  constexpr ObjectKind kKind = ObjectKind::expanded_keys;
  KeyFile file = detail::open_key_file(context, data, name, ObjectKind::evaluation_keys);
  file.stride = RnsPoly::default_stride(context.n());
  const std::span<const std::byte> source = data.subspan(32, 32);  // the digest in the header
  const u64 hash = context.params().hash();
  const i64 count = std::ssize(file.records);
  std::vector<Digest> digests(file.records.size());
  AtomicFile out(path);
  out.write(detail::make_key_index(hash, file, digests, kKind, source));
  // As many keys at a time as there are threads: memory stays small, the order is the file's.
  std::vector<SwitchingKey> keys(size_t(std::min<i64>(pool.size(), count)));
  for (i64 first = 0; first < count; first += std::ssize(keys)) {
    const i64 some = std::min<i64>(std::ssize(keys), count - first);
    pool.run(some, [&](i64 i, i64) {
      keys[size_t(i)] = detail::read_key(context, file.records[size_t(first + i)], name);
    });
    for (i64 i = 0; i < some; ++i) {
      const KeySlot& slot = file.records[size_t(first + i)].slot;
      digests[size_t(first + i)] =
          write_record(out, keys[size_t(i)], context.n(), file.stride,
                       detail::record_bytes(context.n(), file.stride, slot, kKind));
      if (progress) progress(first + i + 1, count, "expanding keys");
    }
  }
  out.write_at(0, detail::make_key_index(hash, file, digests, kKind, source));
  out.commit();
}

EvaluationKeys map_evaluation_keys(const Context& context, const std::filesystem::path& path) {
  return map_evaluation_keys(context, MappedFile::open(path));
}

EvaluationKeys map_evaluation_keys(const Context& context, std::shared_ptr<const MappedFile> mapped,
                                   std::shared_ptr<KeyChecks> checks) {
  const auto view = open_view(context, mapped->bytes(), mapped, mapped->path().string());
  const auto advise = [view, mapped](i64 i, bool is_needed) {
    const std::span<const std::byte> record = view->file.records[size_t(i)].data;
    mapped->advise(record.data() - mapped->bytes().data(), std::ssize(record), is_needed);
  };
  return keys_of(context, view, advise, std::move(checks));
}

EvaluationKeys view_evaluation_keys(const Context& context, std::span<const std::byte> data,
                                    std::shared_ptr<const void> owner, const std::string& name) {
  return keys_of(context, open_view(context, data, std::move(owner), name), {});
}

bool is_expansion_of(std::span<const std::byte> expanded, std::span<const std::byte> compressed,
                     const std::string& name) {
  const detail::Frame frame = detail::open(expanded, name, ObjectKind::expanded_keys, nullptr);
  detail::open(compressed, name, ObjectKind::evaluation_keys, nullptr);
  return frame.payload.size() >= 32 &&
         std::ranges::equal(frame.payload.first(32), compressed.subspan(32, 32));
}

}  // namespace sinter::ckks
