// SPDX-License-Identifier: Apache-2.0
// The file of evaluation keys:
//
//   header | index: key id u64, manifest, then seed 32 and SHA-256 32 per key | zeros to 64 |
//   record per key
//
// in the order relinearisation, conjugation, rotations ascending. A record is the b halves, digit
// after digit, limb after limb, N little-endian words each. All lengths follow from the manifest
// and the parameters; the file holds no offset that could lie.
#include <algorithm>
#include <atomic>

#include "base/error.h"
#include "base/file.h"
#include "ckks/detail/frame.h"
#include "ckks/detail/key_switch.h"
#include "ring/rns.h"
#include "ring/sampling.h"

namespace sinter::ckks {
namespace {

using ring::RnsPoly;

/// What the manifest says about one key.
struct KeySlot {
  i64 rotation;  // 0: conjugation, -1: relinearisation
  int level;
};

std::vector<KeySlot> slots_of(const KeyManifest& manifest) {
  std::vector<KeySlot> slots;
  if (manifest.relinearisation_level >= 0) slots.push_back({-1, manifest.relinearisation_level});
  if (manifest.conjugation_level >= 0) slots.push_back({0, manifest.conjugation_level});
  for (const auto& [rotation, level] : manifest.rotations) slots.push_back({rotation, level});
  return slots;
}

const SwitchingKey& key_of(const Context& context, const EvaluationKeys& keys,
                           const KeySlot& slot) {
  if (slot.rotation < 0) return keys.relinearisation(slot.level);
  if (slot.rotation == 0) return keys.conjugation(slot.level);
  return keys.galois(context, slot.rotation, slot.level);
}

i64 record_bytes(const Context& context, int level) {
  const ring::RnsRing& ring = context.ring();
  return ring.digit_count(level) * (level + 1 + ring.special_count()) * context.n() *
         i64(sizeof(u64));
}

std::vector<std::byte> record_of(const SwitchingKey& key) {
  ByteWriter out;
  for (const SwitchingKey::Digit& digit : key.digits)
    for (int i = 0; i < digit.b.limbs(); ++i) detail::write_residues(out, digit.b.limb(i));
  return out.take();
}

/// Hands out the file piece by piece; `write` is called in order.
template <class Write>
void write_keys(const Context& context, const EvaluationKeys& keys, const Progress& progress,
                const Write& write) {
  require(keys.params_hash() == context.params().hash(), ErrorKind::bad_argument,
          "save_evaluation_keys: the keys belong to other parameters");
  const std::vector<KeySlot> slots = slots_of(keys.manifest());
  ByteWriter index;
  index.u64_(keys.key_id());
  keys.manifest().serialise(index);
  for (const KeySlot& slot : slots) {
    const SwitchingKey& key = key_of(context, keys, slot);
    index.bytes(std::as_bytes(std::span(key.seed)));
    const Digest digest = sha256(record_of(key));
    index.bytes(std::as_bytes(std::span(digest)));
  }
  write(detail::make_header(ObjectKind::evaluation_keys, keys.params_hash(), index.size(),
                            sha256(index.view())));
  index.align(detail::kHeaderBytes);  // the header is as long as the alignment
  write(index.take());
  for (size_t i = 0; i < slots.size(); ++i) {
    write(record_of(key_of(context, keys, slots[i])));
    if (progress) progress(i64(i) + 1, std::ssize(slots), "writing keys");
  }
}

/// One key from its record; the digest is checked here, so that it runs in parallel.
SwitchingKey read_key(const Context& context, const KeySlot& slot, const Seed& seed,
                      std::span<const std::byte> digest, std::span<const std::byte> record,
                      const std::string& name) {
  require(detail::has_digest(record, digest), ErrorKind::bad_input, name,
          ": damaged: the checksum of ",
          slot.rotation < 0    ? "the relinearisation key"
          : slot.rotation == 0 ? "the conjugation key"
                               : "the key of rotation " + std::to_string(slot.rotation),
          " does not match");
  const ring::RnsRing& ring = context.ring();
  const int limbs = slot.level + 1 + ring.special_count();
  ByteReader in(record, name);
  SwitchingKey key;
  key.level = slot.level;
  key.seed = seed;
  for (int d = 0; d < ring.digit_count(slot.level); ++d) {
    SwitchingKey::Digit& digit = key.digits.emplace_back();
    digit.b = context.ring().make_poly(limbs);
    digit.a = context.ring().make_poly(limbs);
    for (int i = 0; i < limbs; ++i) {
      const ring::Modulus& q = ring.limb_modulus(slot.level, i);
      detail::read_residues(in, q, digit.b.limb(i));
      ring::uniform_residues(seed, u64(d), q, digit.a.limb(i));
    }
  }
  in.expect_end();
  if (slot.rotation >= 0) {
    key.galois_element = slot.rotation == 0 ? 2 * u64(context.n()) - 1
                                            : detail::rotation_element(slot.rotation, context.n());
    key.permutation = ring::automorphism_permutation(context.n(), key.galois_element);
  }
  return key;
}

}  // namespace

void save_evaluation_keys(const Context& context, const EvaluationKeys& keys,
                          const std::filesystem::path& path, const Progress& progress) {
  AtomicFile file(path);
  write_keys(context, keys, progress, [&](std::span<const std::byte> piece) { file.write(piece); });
  file.commit();
}

std::vector<std::byte> save_evaluation_keys(const Context& context, const EvaluationKeys& keys) {
  ByteWriter out;
  write_keys(context, keys, {}, [&](std::span<const std::byte> piece) { out.bytes(piece); });
  return out.take();
}

EvaluationKeys load_evaluation_keys(const Context& context, std::span<const std::byte> data,
                                    const std::string& name, ThreadPool& pool) {
  const u64 hash = context.params().hash();
  const detail::Frame frame = detail::open(data, name, ObjectKind::evaluation_keys, &hash);
  ByteReader index(frame.payload, name);
  const u64 key_id = index.u64_();
  const KeyManifest manifest = KeyManifest::parse(index, context.params());
  const std::vector<KeySlot> slots = slots_of(manifest);
  require(slots.empty() || context.ring().special_count() > 0, ErrorKind::bad_input, name,
          ": holds keys, but the parameters have no special primes");

  struct Entry {
    Seed seed;
    std::span<const std::byte> digest, record;
  };
  ByteReader records(data, name);
  records.bytes(detail::kHeaderBytes + std::ssize(frame.payload));
  while (records.position() % detail::kHeaderBytes != 0)
    require(records.u8_() == 0, ErrorKind::bad_input, name,
            ": damaged: expected zeros between the index and the keys");
  std::vector<Entry> entries;
  for (const KeySlot& slot : slots) {
    Entry& entry = entries.emplace_back();
    for (u8& byte : entry.seed) byte = index.u8_();
    entry.digest = index.bytes(32);
    entry.record = records.bytes(record_bytes(context, slot.level));
  }
  index.expect_end();
  records.expect_end();

  std::map<i64, SwitchingKey> rotations;
  SwitchingKey conjugation, relinearisation;
  std::vector<SwitchingKey*> targets;
  for (const KeySlot& slot : slots)
    targets.push_back(slot.rotation < 0    ? &relinearisation
                      : slot.rotation == 0 ? &conjugation
                                           : &rotations[slot.rotation]);
  pool.run(std::ssize(slots), [&](i64 i, i64) {
    const Entry& e = entries[size_t(i)];
    *targets[size_t(i)] = read_key(context, slots[size_t(i)], e.seed, e.digest, e.record, name);
  });
  return {hash,  manifest, std::move(rotations), std::move(conjugation), std::move(relinearisation),
          key_id};
}

}  // namespace sinter::ckks
