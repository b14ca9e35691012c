// SPDX-License-Identifier: Apache-2.0
// Parameters of leveled CKKS: what a user may ask for (CkksOptions) and what passed the checks
// (CkksParams). The ciphertext modulus at level l is q_0 * ... * q_l; keys live modulo Q * P with
// P = p_0 * ... * p_{k-1}, and log2(Q P) is what security is judged by.
//
// Source of the security table: "Security Guidelines for Implementing Homomorphic Encryption",
// IACR ePrint 2024/463, 128-bit classical, uniform ternary secret. Sparse secrets of weight >= 192:
// 768 bits at N = 2^15 and 1550 bits at N = 2^16; other sizes are refused.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/types.h"

namespace sinter::ckks {

/// Distribution of the secret: every coefficient uniform in {-1, 0, 1}, or exactly
/// `hamming_weight` coefficients +-1 and the others 0.
enum class SecretKind { ternary = 0, sparse = 1 };

/// `none_for_tests` accepts any log2(QP) and says so in security_text().
enum class Security { bits128 = 0, none_for_tests = 1 };

/// Hamming weight of the ephemeral secret of sparse-secret encapsulation.
inline constexpr int kEncapsulationWeight = 32;

/// Plain input, from YAML or flags. Sizes are bits of the primes, q_0 first.
struct CkksOptions {
  i64 log_n = 15;          ///< N = 2^log_n, 4 to 17 (10 to 17 with bits128)
  std::vector<int> log_q;  ///< q_0, q_1, ..., 20 to 48 bits each, 1 to 64 of them
  std::vector<int> log_p;  ///< special primes, 20 to 48 bits, 0 to 16; none = no key switching
  int log_scale = 40;      ///< default scale 2^log_scale, 10 to 60
  SecretKind secret = SecretKind::ternary;
  int hamming_weight = 192;  ///< used with SecretKind::sparse only
  Security security = Security::bits128;

  bool operator==(const CkksOptions&) const = default;
};

/// Checked parameters with their primes. A value; immutable once made. thread: safe to share.
class CkksParams {
 public:
  /// Checks ranges, finds the primes and compares log2(QP) with the security table.
  /// throws  Error(bad_argument) with the value found and the values allowed
  static CkksParams check(const CkksOptions& options);

  const CkksOptions& options() const { return options_; }
  i64 log_n() const { return options_.log_n; }
  i64 n() const { return i64(1) << options_.log_n; }
  i64 slots() const { return n() / 2; }  ///< complex (or real) values per plaintext
  /// Level of a fresh ciphertext; level l has l + 1 primes and allows l rescales.
  int max_level() const { return int(q_.size()) - 1; }
  double scale() const;  ///< 2^log_scale

  std::span<const u64> q() const { return q_; }
  std::span<const u64> p() const { return p_; }
  u64 q(int level) const { return q_[size_t(level)]; }

  double log2_q(int level) const;  ///< bits of q_0 * ... * q_level
  double log2_qp() const;          ///< bits of the modulus of the largest key
  /// The table's bound for this N and secret, 0 when the table has no line for it.
  double log2_qp_limit() const;
  /// Bits that a key under the ephemeral secret of sparse-secret encapsulation (weight
  /// kEncapsulationWeight) may have at this N; 0 when there is no line (docs/security.md).
  double log2_encapsulation_limit() const;
  /// One line for reports, e.g. "128-bit classical, ternary secret, N = 2^15, log2 QP = 680.0 of
  /// at most 868".
  std::string security_text() const;
  /// Identity of options and primes; every ciphertext and key carries it.
  u64 hash() const { return hash_; }

  /// Options and hash, no header: for embedding in other formats (a compiled program).
  void serialise(ByteWriter& out) const;
  /// throws  Error(bad_input) when malformed, or when these options give other primes or fail the
  ///         checks
  static CkksParams parse(ByteReader& in);

 private:
  CkksParams() = default;
  CkksOptions options_;
  std::vector<u64> q_, p_;
  u64 hash_ = 0;
};

}  // namespace sinter::ckks
