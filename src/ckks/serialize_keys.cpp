// SPDX-License-Identifier: Apache-2.0
// The compressed file of evaluation keys:
//
//   header | index (key_file.cpp) | zeros to 64 | record per key
//
// in the order of KeyManifest::slots. A record is the b halves, digit after digit, limb after limb,
// N little-endian words each; its digest is SHA-256.
#include "base/error.h"
#include "base/file.h"
#include "ckks/detail/frame.h"
#include "ckks/detail/key_file.h"
#include "ckks/detail/key_switch.h"
#include "ring/rns.h"
#include "ring/sampling.h"

namespace sinter::ckks {
namespace {

/// Hands out the file piece by piece; `write` is called in order.
template <class Write>
void write_keys(const Context& context, const EvaluationKeys& keys, const Progress& progress,
                const Write& write) {
  require(keys.params_hash() == context.params().hash(), ErrorKind::bad_argument,
          "save_evaluation_keys: the keys belong to other parameters");
  const i64 count = keys.manifest().key_count();
  detail::KeyFile file{keys.key_id(), keys.manifest(), 0, {}};
  std::vector<Digest> digests;
  for (i64 i = 0; i < count; ++i) {
    file.records.push_back({{}, keys.key(i).seed, {}, {}});
    digests.push_back(sha256(detail::compressed_record(keys.key(i))));
  }
  write(detail::make_key_index(keys.params_hash(), file, digests, ObjectKind::evaluation_keys));
  for (i64 i = 0; i < count; ++i) {
    write(detail::compressed_record(keys.key(i)));
    if (progress) progress(i + 1, count, "writing keys");
  }
}

}  // namespace

std::vector<std::byte> detail::compressed_record(const SwitchingKey& key) {
  ByteWriter out;
  for (const SwitchingKey::Digit& digit : key.digits)
    for (int i = 0; i < digit.b.limbs(); ++i) write_residues(out, digit.b.limb(i));
  return out.take();
}

SwitchingKey detail::read_key(const Context& context, const KeyRecord& record,
                              const std::string& name) {
  const KeySlot& slot = record.slot;
  require(has_digest(record.data, record.digest), ErrorKind::bad_input, name,
          ": damaged: the checksum of ", slot.text(), " does not match");
  const ring::RnsRing& ring = context.ring();
  ByteReader in(record.data, name + ": " + slot.text());
  SwitchingKey key;
  key.level = slot.level;
  key.seed = record.seed;
  for (int d = 0; d < slot.digits(); ++d) {
    SwitchingKey::Digit& digit = key.digits.emplace_back();
    digit.b = ring.make_poly(slot.limbs());
    digit.a = ring.make_poly(slot.limbs());
    for (int i = 0; i < slot.limbs(); ++i) {
      const ring::Modulus& q = ring.limb_modulus(slot.level, i);
      read_residues(in, q, digit.b.limb(i));
      ring::uniform_residues(record.seed, u64(d), q, digit.a.limb(i));
    }
  }
  in.expect_end();
  key.galois_element = slot_element(slot, context.n());
  if (key.galois_element != 0)
    key.permutation = ring::automorphism_permutation(context.n(), key.galois_element);
  return key;
}

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
  detail::KeyFile file = detail::open_key_file(context, data, name, ObjectKind::evaluation_keys);
  std::vector<SwitchingKey> keys(file.records.size());
  pool.run(std::ssize(keys), [&](i64 i, i64) {
    keys[size_t(i)] = detail::read_key(context, file.records[size_t(i)], name);
  });
  return {context.params().hash(), std::move(file.manifest), std::move(keys), file.key_id};
}

}  // namespace sinter::ckks
