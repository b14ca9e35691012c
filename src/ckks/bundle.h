// SPDX-License-Identifier: Apache-2.0
// Several ciphertexts in one file: what one run of a program takes or gives, for one run or for
// many, one after another. Ciphertext r * per_run + i is number i of run r.
//
//   header of kind bundle (ckks/serialize.h), its digest that of the index
//   index    key id u64 | program u64 | images u64 | per run u64 | count u64
//            | count times {bytes u64, SHA-256 of the payload}
//   entries  saved ciphertexts, one after another
//
// The index names every entry by its digest, so a part of another file, an exchanged or a repeated
// one is refused.
#pragma once
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "ckks/ciphertext.h"
#include "ckks/context.h"

namespace sinter::ckks {

/// ciphertexts: all of one origin and the parameters of the context; their number a multiple of
/// per_run >= 1
/// images       how many of the client's images they hold together, >= 1
std::vector<std::byte> save_bundle(const Context& context, std::span<const Ciphertext> ciphertexts,
                                   i64 per_run, i64 images);

/// A saved bundle, in borrowed bytes. thread: safe to share.
class Bundle {
 public:
  /// Checks header, index and sizes; a ciphertext is checked when it is loaded.
  /// throws  Error(bad_input) naming `name`
  Bundle(const Context& context, std::span<const std::byte> data, std::string name);

  const Origin& origin() const { return origin_; }
  i64 images() const { return images_; }
  i64 per_run() const { return per_run_; }
  i64 runs() const { return std::ssize(entries_) / per_run_; }
  /// The ciphertexts of run `r`, in order.
  /// throws  Error(bad_input) when one is damaged, is not the one of the index or is of another
  ///         origin
  std::vector<Ciphertext> run(i64 r) const;

 private:
  struct Entry {
    std::span<const std::byte> bytes, digest;
  };
  const Context& context_;
  std::string name_;
  Origin origin_;
  i64 images_ = 0, per_run_ = 1;
  std::vector<Entry> entries_;
};

}  // namespace sinter::ckks
