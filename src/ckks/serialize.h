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
// one.
//
// Evaluation keys have two forms. What the client sends is compressed: one half of every key and a
// seed. The expanded form has both halves exactly as they lie in memory, each key on a page of its
// own; it is made once by the side that computes and mapped read-only by all of its processes.
#pragma once
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/progress.h"
#include "base/threads.h"
#include "ckks/key_checks.h"
#include "ckks/keys.h"

namespace sinter::ckks {

/// What a saved object is. Values are never reused.
enum class ObjectKind : u32 {
  params = 1,
  ciphertext = 2,
  evaluation_keys = 3,
  public_key = 4,
  secret_key = 5,
  expanded_keys = 6,
  bundle = 7,  ///< several ciphertexts (ckks/bundle.h)
};

/// What the header says `data` is. throws Error(bad_input) without a header of this format.
ObjectKind kind_of(std::span<const std::byte> data, const std::string& name);

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

/// Where the expanded form of a file of keys is looked for: beside it, with ".expanded" appended.
std::filesystem::path expanded_path(const std::filesystem::path& compressed);

/// Writes the expanded form of saved keys in one step.
/// cost    the time of load_evaluation_keys and of writing twice the bytes, in the memory of one
///         key per thread
/// throws  Error(bad_input) when `data` is damaged, Error(io)
void expand_evaluation_keys(const Context& context, std::span<const std::byte> data,
                            const std::string& name, const std::filesystem::path& path,
                            ThreadPool& pool, const Progress& progress = {});

/// The keys of an expanded file, mapped. Header and index are checked here, in the time of reading
/// the index; the checksum and the residues of a key when it is first used, once, and the error
/// then names file and key. Processes and threads that map one file share its pages and, with the
/// same `checks`, the work of checking. The file may be renamed or deleted meanwhile; nobody may
/// write into it or shorten it.
EvaluationKeys map_evaluation_keys(const Context& context, const std::filesystem::path& path);
EvaluationKeys map_evaluation_keys(const Context& context, std::shared_ptr<const MappedFile> file,
                                   std::shared_ptr<KeyChecks> checks = nullptr);
/// The same of bytes in memory on a 64-byte boundary, which `owner` keeps.
EvaluationKeys view_evaluation_keys(const Context& context, std::span<const std::byte> data,
                                    std::shared_ptr<const void> owner, const std::string& name);
/// Was this expanded file made from this compressed one? Looks at the indices only.
/// throws  Error(bad_input) when one of the two has no whole header and index of its kind
bool is_expansion_of(std::span<const std::byte> expanded, std::span<const std::byte> compressed,
                     const std::string& name);

}  // namespace sinter::ckks
