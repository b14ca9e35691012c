// SPDX-License-Identifier: Apache-2.0
#include "ckks/keys.h"

#include <algorithm>

#include "base/error.h"
#include "ckks/detail/key_switch.h"

namespace sinter::ckks {
namespace {

i64 key_bytes(const CkksParams& params, int level) {
  const i64 k = std::max<i64>(1, std::ssize(params.p()));
  return (level + k) / k * (level + 1 + k) * 2 * params.n() * i64(sizeof(u64));
}

/// The key if it serves `level`, otherwise the error that names it.
const SwitchingKey& serving(const SwitchingKey& key, int level, const std::string& what) {
  require(key.level >= 0, ErrorKind::bad_argument, what,
          " is not among the keys; the program's manifest needs it");
  require(key.level >= level, ErrorKind::bad_argument, what, " is among the keys up to level ",
          key.level, " only, found a ciphertext of level ", level,
          "; the program's manifest needs it there");
  return key;
}

}  // namespace

void KeyManifest::add_rotation(i64 steps, int level, i64 slots) {
  const i64 rotation = detail::normalise_rotation(steps, slots);
  if (rotation == 0) return;
  int& known = rotations.try_emplace(rotation, level).first->second;
  known = std::max(known, level);
}

void KeyManifest::merge(const KeyManifest& other) {
  for (const auto& [rotation, level] : other.rotations) {
    int& known = rotations.try_emplace(rotation, level).first->second;
    known = std::max(known, level);
  }
  conjugation_level = std::max(conjugation_level, other.conjugation_level);
  relinearisation_level = std::max(relinearisation_level, other.relinearisation_level);
}

i64 KeyManifest::key_count() const {
  return std::ssize(rotations) + (conjugation_level >= 0) + (relinearisation_level >= 0);
}

i64 KeyManifest::bytes(const CkksParams& params) const {
  i64 sum = 0;
  for (const auto& [rotation, level] : rotations) sum += key_bytes(params, level);
  if (conjugation_level >= 0) sum += key_bytes(params, conjugation_level);
  if (relinearisation_level >= 0) sum += key_bytes(params, relinearisation_level);
  return sum;
}

void KeyManifest::serialise(ByteWriter& out) const {
  out.i64_(relinearisation_level);
  out.i64_(conjugation_level);
  out.u64_(u64(rotations.size()));
  for (const auto& [rotation, level] : rotations) {
    out.i64_(rotation);
    out.i64_(level);
  }
}

KeyManifest KeyManifest::parse(ByteReader& in, const CkksParams& params) {
  const auto level = [&](i64 min) {
    const i64 value = in.i64_();
    require(value >= min && value <= params.max_level(), ErrorKind::bad_input, in.what(),
            ": key manifest: expected a level of ", min, " to ", params.max_level(), ", found ",
            value);
    return int(value);
  };
  KeyManifest manifest;
  manifest.relinearisation_level = level(-1);
  manifest.conjugation_level = level(-1);
  const i64 count = in.count(16, params.slots());
  i64 previous = 0;
  for (i64 i = 0; i < count; ++i) {
    const i64 rotation = in.i64_();
    require(rotation > previous && rotation < params.slots(), ErrorKind::bad_input, in.what(),
            ": key manifest: expected ascending rotations of 1 to ", params.slots() - 1, ", found ",
            rotation, " after ", previous);
    manifest.rotations[rotation] = level(0);
    previous = rotation;
  }
  return manifest;
}

i64 SwitchingKey::bytes() const {
  i64 sum = 0;
  for (const Digit& digit : digits) sum += digit.b.bytes() + digit.a.bytes();
  return sum;
}

EvaluationKeys::EvaluationKeys(u64 params_hash, KeyManifest manifest,
                               std::map<i64, SwitchingKey> rotations, SwitchingKey conjugation,
                               SwitchingKey relinearisation, u64 key_id)
    : params_hash_(params_hash),
      manifest_(std::move(manifest)),
      rotations_(std::move(rotations)),
      conjugation_(std::move(conjugation)),
      relinearisation_(std::move(relinearisation)),
      key_id_(key_id) {}

i64 EvaluationKeys::bytes() const {
  i64 sum = conjugation_.bytes() + relinearisation_.bytes();
  for (const auto& [rotation, key] : rotations_) sum += key.bytes();
  return sum;
}

const SwitchingKey& EvaluationKeys::galois(const Context& context, i64 rotation, int level) const {
  require(params_hash_ == context.params().hash(), ErrorKind::bad_argument,
          "keys: the evaluation keys belong to other parameters: expected hash ", std::hex,
          context.params().hash(), ", found ", params_hash_);
  static const SwitchingKey kNone;
  const auto found = rotations_.find(detail::normalise_rotation(rotation, context.slots()));
  return serving(found == rotations_.end() ? kNone : found->second, level,
                 "keys: the key of rotation " + std::to_string(rotation));
}

const SwitchingKey& EvaluationKeys::conjugation(int level) const {
  return serving(conjugation_, level, "keys: the conjugation key");
}

const SwitchingKey& EvaluationKeys::relinearisation(int level) const {
  return serving(relinearisation_, level, "keys: the relinearisation key");
}

}  // namespace sinter::ckks
