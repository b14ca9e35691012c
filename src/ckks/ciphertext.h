// SPDX-License-Identifier: Apache-2.0
// Plaintext and ciphertext: polynomials with their scale and level.
//
// A slot value v is carried as scale * v in the embedding of the polynomial. A ciphertext of parts
// c_0, c_1 [, c_2] at level l decrypts to c_0 + c_1 s [+ c_2 s^2] modulo q_0 * ... * q_l.
#pragma once
#include <array>
#include <optional>
#include <vector>

#include "base/types.h"
#include "ring/poly.h"

namespace sinter::ckks {

/// The primes of a plaintext: q_0..q_level, or those followed by the special primes.
enum class Basis { q, qp };

/// NTT form; level + 1 limbs, plus the special primes with Basis::qp. Move-only.
struct Plaintext {
  ring::RnsPoly poly;
  double scale = 0;
  int level = -1;
  Basis basis = Basis::q;

  Plaintext clone() const { return {poly.clone(), scale, level, basis}; }
};

/// Seed of a uniform polynomial: 32 bytes in place of one part on disk and on the wire.
using Seed = std::array<u8, 32>;

/// What a ciphertext belongs to, so that mixtures are refused: the secret key it is under
/// (SecretKey::id) and the program it was made for (a hash of the caller's). 0 = not said. Files
/// carry it; operations on ciphertexts neither look at it nor pass it on.
struct Origin {
  u64 key = 0, program = 0;
};

/// NTT form, canonical residues. Move-only; clone() copies. thread: immutable when const.
class Ciphertext {
 public:
  Ciphertext() = default;
  /// parts: 2 or 3 polynomials of level + 1 limbs in NTT form. seed: set when part 1 is
  /// uniform_poly(seed) and may be saved as these 32 bytes.
  Ciphertext(std::vector<ring::RnsPoly> parts, double scale, int level, u64 params_hash,
             std::optional<Seed> seed = std::nullopt);

  Ciphertext clone() const;

  bool empty() const { return parts_.empty(); }
  int parts() const { return int(parts_.size()); }  ///< 2, or 3 before relinearisation
  int level() const { return level_; }
  double scale() const { return scale_; }
  u64 params_hash() const { return params_hash_; }
  const std::optional<Seed>& seed() const { return seed_; }
  const Origin& origin() const { return origin_; }
  void set_origin(const Origin& origin) { origin_ = origin; }
  i64 bytes() const;  ///< of the residues in memory

  const ring::RnsPoly& part(int i) const { return parts_[size_t(i)]; }
  /// For operations that change residues in place; drops the seed, which no longer describes them,
  /// and the origin.
  ring::RnsPoly& mutable_part(int i) {
    seed_.reset();
    origin_ = {};
    return parts_[size_t(i)];
  }

  /// Declares the scale to be another one: multiplies the meaning of every slot by old / new.
  void set_scale(double scale) { scale_ = scale; }

 private:
  std::vector<ring::RnsPoly> parts_;
  double scale_ = 0;
  int level_ = -1;
  u64 params_hash_ = 0;
  std::optional<Seed> seed_;
  Origin origin_;
};

}  // namespace sinter::ckks
