// SPDX-License-Identifier: Apache-2.0
// Saved forms of parameters, ciphertexts, public and evaluation keys. (The secret key's are in
// ckks/secret_key.h.) Every object starts with the same 64-byte header, little-endian:
//
//   "SNTRCKKS" | version u32 | kind u32 | params hash u64 | payload bytes u64 | SHA-256 of payload
//   [..8]        [8..12]       [12..16]   [16..24]          [24..32]            [32..64]
//
// The reader is bounded: each count is checked against the bytes that remain before anything is
// allocated, and truncation, trailing bytes, a wrong kind, other parameters, a residue >= q or a
// flipped bit is Error(bad_input) naming the object. For evaluation keys the header's digest covers
// the index, and the index holds one digest per key, so that keys can be written and checked one by
// one; the residues of a key start on a 64-byte boundary and need no decoding, so the file can be
// mapped.
#pragma once
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/threads.h"
#include "ckks/keys.h"

namespace sinter::ckks {

/// What a saved object is. Values are never reused.
enum class ObjectKind : u32 {
  params = 1,
  ciphertext = 2,
  evaluation_keys = 3,
  public_key = 4,
  secret_key = 5,
};

std::vector<std::byte> save_params(const CkksParams& params);
CkksParams load_params(std::span<const std::byte> data, const std::string& name);

/// A fresh symmetric ciphertext is saved as one polynomial and a seed.
std::vector<std::byte> save_ciphertext(const Context& context, const Ciphertext& ciphertext);
Ciphertext load_ciphertext(const Context& context, std::span<const std::byte> data,
                           const std::string& name);

std::vector<std::byte> save_public_key(const Context& context, const PublicKey& key);
PublicKey load_public_key(const Context& context, std::span<const std::byte> data,
                          const std::string& name);

/// Writes the file in one step (a failure leaves the old one). The uniform halves are seeds.
void save_evaluation_keys(const Context& context, const EvaluationKeys& keys,
                          const std::filesystem::path& path, const Progress& progress = {});
/// The same bytes in memory, for tests and messages.
std::vector<std::byte> save_evaluation_keys(const Context& context, const EvaluationKeys& keys);
/// Copies the saved halves and expands the seeds, parallel over keys.
EvaluationKeys load_evaluation_keys(const Context& context, std::span<const std::byte> data,
                                    const std::string& name, ThreadPool& pool);

}  // namespace sinter::ckks
