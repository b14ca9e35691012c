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
// Sparse-secret encapsulation (bootstrapping) has two keys more, made from an ephemeral secret t of
// weight 32 that nobody keeps:
//   to_sparse   s_from = t, s_to = s, level 0, modulo q_0 and the fewest special primes that reach
//               it: under so sparse a secret the modulus must be small
//   to_dense    s_from = s, s_to = t, a key of the main chain
//
// Sources: Han, Ki 2020 ("Better bootstrapping for approximate homomorphic encryption", section 3);
// Bossuat, Troncoso-Pastoriza, Hubaux 2022 ("... by using sparse-secret encapsulation").
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "ckks/ciphertext.h"
#include "ckks/context.h"

namespace sinter::ckks {

/// What a switching key is for. The order is the one of files; numbers are never reused.
enum class KeyKind : u32 {
  relinearisation = 0,
  conjugation = 1,
  rotation = 2,
  to_sparse = 3,  ///< from the secret to the ephemeral sparse one, at level 0
  to_dense = 4,   ///< back, at the top of bootstrapping's chain
};

/// One key of a manifest. All sizes follow from it.
struct KeySlot {
  KeyKind kind;
  i64 rotation;  ///< of KeyKind::rotation, else 0
  int level;     ///< highest level of use
  int special;   ///< special primes of its modulus, p_0..p_{special-1}

  int limbs() const { return level + 1 + special; }
  /// 0 without special primes: there is no such key then.
  int digits() const { return special == 0 ? 0 : (level + special) / special; }
  /// "the key of rotation 5", for messages.
  std::string text() const;
};

/// Which keys a program needs and up to which level each is used.
struct KeyManifest {
  std::map<i64, int> rotations;    ///< left rotation in [1, slots) -> highest level of use
  int conjugation_level = -1;      ///< -1: none
  int relinearisation_level = -1;  ///< -1: none
  /// Highest level of to_dense; to_sparse comes with it. -1: none
  int encapsulation_level = -1;

  /// Adds a rotation (any integer; taken modulo slots, 0 needs no key) or raises its level.
  void add_rotation(i64 steps, int level, i64 slots);
  /// Adds what `other` needs.
  void merge(const KeyManifest& other);
  i64 key_count() const;
  /// Every key, in the order of files: relinearisation, conjugation, rotations ascending,
  /// to_sparse, to_dense.
  std::vector<KeySlot> slots(const CkksParams& params) const;
  /// Memory of these keys, both halves expanded; 0 when the parameters have no special primes.
  i64 bytes(const CkksParams& params) const;

  void serialise(ByteWriter& out) const;
  /// throws  Error(bad_input) when a rotation or level is outside the parameters
  static KeyManifest parse(ByteReader& in, const CkksParams& params);

  bool operator==(const KeyManifest&) const = default;
};

/// One switching key. Limbs are q_0..q_level, p_0..p_{special-1}, in NTT form. Immutable.
struct SwitchingKey {
  struct Digit {
    ring::RnsPoly b, a;
  };
  int level = -1;
  u64 galois_element = 0;        ///< 0 unless rotation or conjugation
  Seed seed{};                   ///< expands to every a_j
  std::vector<Digit> digits;     ///< ceil((level + 1) / special)
  std::vector<u32> permutation;  ///< of the automorphism in NTT form; empty without one

  i64 bytes() const;
};

/// The keys of one manifest, in memory or made when first asked for (a mapped file). Move-only;
/// share as shared_ptr<const EvaluationKeys>. thread: safe to share; after the first use of a key
/// looking it up takes no lock.
class EvaluationKeys {
 public:
  /// Where the keys of a file come from.
  struct Source {
    std::vector<KeySlot> slots;                ///< manifest.slots()
    std::function<SwitchingKey(i64)> load;     ///< slot i, checked; throws Error(bad_input)
    std::function<void(i64, bool)> will_need;  ///< slot i is needed soon / no longer (a hint)
  };

  /// keys: one for each of manifest.slots(), in that order.
  EvaluationKeys(u64 params_hash, KeyManifest manifest, std::vector<SwitchingKey> keys,
                 u64 key_id = 0);
  EvaluationKeys(u64 params_hash, KeyManifest manifest, Source source, u64 key_id);
  EvaluationKeys(EvaluationKeys&&) noexcept;
  EvaluationKeys& operator=(EvaluationKeys&&) noexcept;
  ~EvaluationKeys();

  const KeyManifest& manifest() const { return manifest_; }
  u64 params_hash() const { return params_hash_; }
  u64 key_id() const { return key_id_; }  ///< SecretKey::id of the secret they were made from
  /// Memory of the keys that are there: all, or of a mapped file those used so far.
  i64 bytes() const;

  /// The key that serves `level`. rotation: any integer but a multiple of slots.
  /// throws  Error(bad_argument) naming the rotation and the level when the manifest has no such
  ///         key or has it only for lower levels; Error(bad_input) naming file and key when a
  ///         mapped key turns out to be damaged
  const SwitchingKey& galois(const Context& context, i64 rotation, int level) const;
  const SwitchingKey& conjugation(int level) const;
  const SwitchingKey& relinearisation(int level) const;
  /// The two keys of sparse-secret encapsulation; to_sparse works at level 0 only.
  const SwitchingKey& to_sparse() const;
  const SwitchingKey& to_dense(int level) const;
  /// Number i of manifest().slots().
  const SwitchingKey& key(i64 slot) const;

  /// Hints for mapped files, in the order in which a program uses its keys: read ahead / the pages
  /// may go (they come back from the file when needed). Nothing happens to keys in memory, and
  /// keys that are not there are passed over.
  void will_need(const Context& context, i64 rotation) const;
  void release(const Context& context, i64 rotation) const;

 private:
  struct Entry;
  const Entry* find(KeyKind kind, i64 rotation) const;
  const SwitchingKey& serving(KeyKind kind, int level, i64 rotation = 0, i64 asked = 0) const;
  const SwitchingKey& ready(const Entry& entry) const;

  u64 params_hash_;
  KeyManifest manifest_;
  std::unique_ptr<Entry[]> entries_;
  std::map<std::pair<KeyKind, i64>, i64> index_;
  Source source_;
  u64 key_id_;
};

/// A public key: an encryption of zero at the highest level, b = -a s + e.
struct PublicKey {
  u64 params_hash = 0, key_id = 0;
  Seed seed{};  ///< expands to a
  ring::RnsPoly b, a;
};

}  // namespace sinter::ckks
