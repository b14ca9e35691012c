// SPDX-License-Identifier: Apache-2.0
// Parameters with every table that the operations need: NTT tables, base conversions, the tables of
// the canonical embedding. Made once, then shared by everything.
#pragma once
#include <memory>

#include "ckks/params.h"

namespace sinter::ring {
class RnsRing;
}

namespace sinter::ckks {

class EmbeddingTables;

/// Immutable. thread: safe to share.
class Context {
 public:
  /// cost  0.1 s and 32 bytes per residue at N = 2^15 with 17 primes (17 MB)
  static std::shared_ptr<const Context> create(const CkksParams& params);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const CkksParams& params() const { return params_; }
  i64 n() const { return params_.n(); }
  i64 slots() const { return params_.slots(); }
  int max_level() const { return params_.max_level(); }

  const ring::RnsRing& ring() const { return *ring_; }
  const EmbeddingTables& embedding() const { return *embedding_; }

 private:
  explicit Context(const CkksParams& params);
  CkksParams params_;
  std::unique_ptr<const ring::RnsRing> ring_;
  std::unique_ptr<const EmbeddingTables> embedding_;
};

}  // namespace sinter::ckks
