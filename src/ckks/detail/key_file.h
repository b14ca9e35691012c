// SPDX-License-Identifier: Apache-2.0
// What the two forms of a file of evaluation keys (serialize_keys.cpp, serialize_expanded.cpp)
// share: an index with one seed and one checksum per key, then one record per key. All lengths
// follow from the manifest and the parameters; the file holds no offset that could lie.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "base/hash.h"
#include "ckks/keys.h"
#include "ckks/serialize.h"

namespace sinter::ckks::detail {

struct KeyRecord {
  KeySlot slot{};
  Seed seed{};
  std::span<const std::byte> digest, data;
};

struct KeyFile {
  u64 key_id = 0;
  KeyManifest manifest;
  i64 stride = 0;  ///< words between limbs
  std::vector<KeyRecord> records;
};

/// A file of ObjectKind::evaluation_keys or expanded_keys taken apart: header, index and lengths
/// are checked, the records are not.
KeyFile open_key_file(const Context& context, std::span<const std::byte> data,
                      const std::string& name, ObjectKind kind);
/// Header and index up to the next record's boundary. source: the digest of the index that an
/// expanded file was made from.
std::vector<std::byte> make_key_index(u64 params_hash, const KeyFile& file,
                                      const std::vector<Digest>& digests, ObjectKind kind,
                                      std::span<const std::byte> source = {});
/// Bytes of a key's record.
i64 record_bytes(i64 n, i64 stride, const KeySlot& slot, ObjectKind kind);

/// The compressed record of a key.
std::vector<std::byte> compressed_record(const SwitchingKey& key);
/// One key from its compressed record, which is checked here, so that it runs in parallel.
SwitchingKey read_key(const Context& context, const KeyRecord& record, const std::string& name);

}  // namespace sinter::ckks::detail
