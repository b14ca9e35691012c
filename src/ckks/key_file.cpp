// SPDX-License-Identifier: Apache-2.0
// The index of files of evaluation keys:
//
//   [expanded only: digest of the index it was made from 32 | words between limbs u64]
//   key id u64 | manifest | seed 32, digest 32 for each key | zeros to the boundary of records
#include "ckks/detail/key_file.h"

#include "base/error.h"
#include "ckks/detail/frame.h"
#include "ring/rns.h"

namespace sinter::ckks::detail {
namespace {

constexpr i64 kPage = 4096, kDigestBytes = 32, kMaxPadding = 4096;

/// Records start on multiples of this.
i64 alignment(ObjectKind kind) { return kind == ObjectKind::expanded_keys ? kPage : kHeaderBytes; }

i64 read_stride(ByteReader& in, i64 n) {
  const u64 stride = in.u64_();
  require(stride >= u64(n) && stride <= u64(n + kMaxPadding) && stride % 8 == 0,
          ErrorKind::bad_input, in.what(), ": expected a multiple of 8 from ", n, " to ",
          n + kMaxPadding, " as words between limbs, found ", stride);
  return i64(stride);
}

}  // namespace

i64 record_bytes(i64 n, i64 stride, const KeySlot& slot, ObjectKind kind) {
  const i64 limbs = i64(slot.digits()) * slot.limbs(), word = i64(sizeof(u64));
  if (kind != ObjectKind::expanded_keys) return limbs * n * word;
  return (2 * limbs * stride * word + kPage - 1) / kPage * kPage;
}

std::vector<std::byte> make_key_index(u64 params_hash, const KeyFile& file,
                                      const std::vector<Digest>& digests, ObjectKind kind,
                                      std::span<const std::byte> source) {
  ByteWriter index;
  if (kind == ObjectKind::expanded_keys) {
    index.bytes(source);
    index.i64_(file.stride);
  }
  index.u64_(file.key_id);
  file.manifest.serialise(index);
  for (size_t i = 0; i < digests.size(); ++i) {
    index.bytes(std::as_bytes(std::span(file.records[i].seed)));
    index.bytes(std::as_bytes(std::span(digests[i])));
  }
  ByteWriter out;
  out.bytes(make_header(kind, params_hash, index.size(), sha256(index.view())));
  out.bytes(index.view());
  out.align(alignment(kind));
  return out.take();
}

KeyFile open_key_file(const Context& context, std::span<const std::byte> data,
                      const std::string& name, ObjectKind kind) {
  const u64 hash = context.params().hash();
  const Frame frame = open(data, name, kind, &hash);
  ByteReader index(frame.payload, name);
  KeyFile file;
  if (kind == ObjectKind::expanded_keys) {
    index.bytes(kDigestBytes);
    file.stride = read_stride(index, context.n());
  }
  file.key_id = index.u64_();
  file.manifest = KeyManifest::parse(index, context.params());
  const std::vector<KeySlot> slots = file.manifest.slots(context.params());
  require(slots.empty() || context.ring().special_count() > 0, ErrorKind::bad_input, name,
          ": holds keys, but the parameters have no special primes");
  ByteReader records(data, name);
  records.bytes(kHeaderBytes + std::ssize(frame.payload));
  while (records.position() % alignment(kind) != 0)
    require(records.u8_() == 0, ErrorKind::bad_input, name,
            ": damaged: expected zeros between the index and the keys");
  for (const KeySlot& slot : slots) {
    KeyRecord& record = file.records.emplace_back(KeyRecord{slot, {}, {}, {}});
    for (u8& byte : record.seed) byte = index.u8_();
    record.digest = index.bytes(kDigestBytes);
    record.data = records.bytes(record_bytes(context.n(), file.stride, slot, kind));
  }
  index.expect_end();
  records.expect_end();
  return file;
}

}  // namespace sinter::ckks::detail
