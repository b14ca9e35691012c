// SPDX-License-Identifier: Apache-2.0
// Evaluation keys: what the side that computes needs and may hold. Hybrid key switching: the primes
// q_0, q_1, ... are grouped into digits of k = (number of special primes), dnum = ceil((l+1)/k) at
// level l, and a switching key holds for each digit j a pair modulo Q_l * P
//
//   b_j = -a_j s_from + e_j + P * g_j * s_to   g_j = 1 modulo the primes of digit j, 0 elsewhere
//
// relinearisation: s_from = s, s_to = s^2. Automorphism X -> X^g: s_from = s(X^(1/g)), s_to = s, so
// that the sum over digits is taken first and the automorphism permutes only its two results.
// A key made for level l serves every level below it. Only the keys of a manifest exist.
//
// Source: Han, Ki 2020 ("Better bootstrapping for approximate homomorphic encryption", section 3).
#pragma once
#include <map>
#include <vector>

#include "base/bytes.h"
#include "ckks/ciphertext.h"
#include "ckks/context.h"

namespace sinter::ckks {

/// Which keys a program needs and up to which level each is used.
struct KeyManifest {
  std::map<i64, int> rotations;    ///< left rotation in [1, slots) -> highest level of use
  int conjugation_level = -1;      ///< -1: none
  int relinearisation_level = -1;  ///< -1: none

  /// Adds a rotation (any integer; taken modulo slots, 0 needs no key) or raises its level.
  void add_rotation(i64 steps, int level, i64 slots);
  /// Adds what `other` needs.
  void merge(const KeyManifest& other);
  i64 key_count() const;
  /// Memory of these keys, both halves expanded.
  i64 bytes(const CkksParams& params) const;

  void serialise(ByteWriter& out) const;
  /// throws  Error(bad_input) when a rotation or level is outside the parameters
  static KeyManifest parse(ByteReader& in, const CkksParams& params);

  bool operator==(const KeyManifest&) const = default;
};

/// One switching key. Limbs are q_0..q_level, p_0..p_{k-1}, in NTT form. Immutable.
struct SwitchingKey {
  struct Digit {
    ring::RnsPoly b, a;
  };
  int level = -1;
  u64 galois_element = 0;        ///< 0 for relinearisation
  Seed seed{};                   ///< expands to every a_j
  std::vector<Digit> digits;     ///< ceil((level + 1) / k)
  std::vector<u32> permutation;  ///< of the automorphism in NTT form; empty for relinearisation

  i64 bytes() const;
};

/// The keys of one manifest. Immutable, move-only; share as shared_ptr<const EvaluationKeys>.
class EvaluationKeys {
 public:
  EvaluationKeys(u64 params_hash, KeyManifest manifest, std::map<i64, SwitchingKey> rotations,
                 SwitchingKey conjugation, SwitchingKey relinearisation, u64 key_id = 0);

  const KeyManifest& manifest() const { return manifest_; }
  u64 params_hash() const { return params_hash_; }
  u64 key_id() const { return key_id_; }  ///< SecretKey::id of the secret they were made from
  i64 bytes() const;

  /// The key that serves `level`. rotation: any integer but a multiple of slots.
  /// throws  Error(bad_argument) naming the rotation and the level when the manifest has no such
  /// key
  ///         or has it only for lower levels
  const SwitchingKey& galois(const Context& context, i64 rotation, int level) const;
  const SwitchingKey& conjugation(int level) const;
  const SwitchingKey& relinearisation(int level) const;

 private:
  u64 params_hash_;
  KeyManifest manifest_;
  std::map<i64, SwitchingKey> rotations_;
  SwitchingKey conjugation_, relinearisation_;
  u64 key_id_;
};

/// A public key: an encryption of zero at the highest level, b = -a s + e.
struct PublicKey {
  u64 params_hash = 0, key_id = 0;
  Seed seed{};  ///< expands to a
  ring::RnsPoly b, a;
};

}  // namespace sinter::ckks
