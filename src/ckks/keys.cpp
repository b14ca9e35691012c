// SPDX-License-Identifier: Apache-2.0
#include "ckks/keys.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>

#include "base/error.h"
#include "ckks/detail/key_switch.h"

namespace sinter::ckks {
namespace {

/// The slots of a manifest; the numbers of special primes are those of the main chain and of
/// to_sparse.
std::vector<KeySlot> slots_of(const KeyManifest& m, int special, int sparse_special) {
  std::vector<KeySlot> slots;
  const auto add = [&](KeyKind kind, i64 rotation, int level, int primes) {
    if (level >= 0) slots.push_back({kind, rotation, level, primes});
  };
  add(KeyKind::relinearisation, 0, m.relinearisation_level, special);
  add(KeyKind::conjugation, 0, m.conjugation_level, special);
  for (const auto& [rotation, level] : m.rotations)
    add(KeyKind::rotation, rotation, level, special);
  if (m.encapsulation_level >= 0) add(KeyKind::to_sparse, 0, 0, sparse_special);
  add(KeyKind::to_dense, 0, m.encapsulation_level, special);
  return slots;
}

/// The fewest special primes whose product reaches q_0 up to one bit, as key switching asks.
int sparse_special_count(const CkksParams& params) {
  double bits = std::log2(double(params.q(0))) - 1;
  int count = 0;
  while (count < std::ssize(params.p()) && bits > 0)
    bits -= std::log2(double(params.p()[size_t(count++)]));
  return count;
}

/// What follows -2 in front of a manifest: keys that the first format had no place for.
constexpr i64 kExtended = -2;

}  // namespace

std::string KeySlot::text() const {
  switch (kind) {
    case KeyKind::relinearisation:
      return "the relinearisation key";
    case KeyKind::conjugation:
      return "the conjugation key";
    case KeyKind::rotation:
      return "the key of rotation " + std::to_string(rotation);
    case KeyKind::to_sparse:
      return "the key to the sparse secret";
    case KeyKind::to_dense:
      return "the key from the sparse secret";
  }
  return "a key of unknown kind";
}

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
  encapsulation_level = std::max(encapsulation_level, other.encapsulation_level);
}

i64 KeyManifest::key_count() const { return std::ssize(slots_of(*this, 0, 0)); }

std::vector<KeySlot> KeyManifest::slots(const CkksParams& params) const {
  return slots_of(*this, int(params.p().size()), sparse_special_count(params));
}

i64 KeyManifest::bytes(const CkksParams& params) const {
  i64 sum = 0;
  for (const KeySlot& slot : slots(params))
    sum += 2 * slot.digits() * slot.limbs() * params.n() * i64(sizeof(u64));
  return sum;
}

// [-2 i64 | kinds u64 | kind u64, level i64 each] | relinearisation i64 | conjugation i64
// | rotations u64 | rotation i64, level i64 each
void KeyManifest::serialise(ByteWriter& out) const {
  if (encapsulation_level >= 0) {
    out.i64_(kExtended);
    out.u64_(1);
    out.u64_(u64(KeyKind::to_dense));
    out.i64_(encapsulation_level);
  }
  out.i64_(relinearisation_level);
  out.i64_(conjugation_level);
  out.u64_(u64(rotations.size()));
  for (const auto& [rotation, level] : rotations) {
    out.i64_(rotation);
    out.i64_(level);
  }
}

KeyManifest KeyManifest::parse(ByteReader& in, const CkksParams& params) {
  const auto checked = [&](i64 value, i64 min) {
    require(value >= min && value <= params.max_level(), ErrorKind::bad_input, in.what(),
            ": key manifest: expected a level of ", min, " to ", params.max_level(), ", found ",
            value);
    return int(value);
  };
  const auto level = [&](i64 min) { return checked(in.i64_(), min); };
  KeyManifest manifest;
  i64 first = in.i64_();
  if (first == kExtended) {
    const u64 kinds = in.u64_(), kind = in.u64_();
    require(kinds == 1 && kind == u64(KeyKind::to_dense), ErrorKind::bad_input, in.what(),
            ": key manifest: expected one further kind of key, ", u64(KeyKind::to_dense),
            ", found ", kinds, ", the first of kind ", kind);
    manifest.encapsulation_level = level(0);
    first = in.i64_();
  }
  manifest.relinearisation_level = checked(first, -1);
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

struct EvaluationKeys::Entry {
  KeySlot slot;
  mutable SwitchingKey key;
  mutable std::atomic<bool> is_ready = false;
  mutable std::mutex mutex;  // of the first use
};

EvaluationKeys::EvaluationKeys(u64 params_hash, KeyManifest manifest,
                               std::vector<SwitchingKey> keys, u64 key_id)
    : EvaluationKeys(params_hash, manifest, Source{slots_of(manifest, 0, 0), {}, {}}, key_id) {
  SINTER_ASSERT(keys.size() == source_.slots.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    KeySlot& slot = entries_[i].slot;
    SINTER_ASSERT(keys[i].level == slot.level && !keys[i].digits.empty());
    slot.special = keys[i].digits[0].b.limbs() - slot.level - 1;
    source_.slots[i] = slot;
    entries_[i].key = std::move(keys[i]);
    entries_[i].is_ready = true;
  }
}

EvaluationKeys::EvaluationKeys(u64 params_hash, KeyManifest manifest, Source source, u64 key_id)
    : params_hash_(params_hash),
      manifest_(std::move(manifest)),
      entries_(std::make_unique<Entry[]>(source.slots.size())),
      source_(std::move(source)),
      key_id_(key_id) {
  for (size_t i = 0; i < source_.slots.size(); ++i) {
    entries_[i].slot = source_.slots[i];
    index_[{source_.slots[i].kind, source_.slots[i].rotation}] = i64(i);
  }
}

EvaluationKeys::EvaluationKeys(EvaluationKeys&&) noexcept = default;
EvaluationKeys& EvaluationKeys::operator=(EvaluationKeys&&) noexcept = default;
EvaluationKeys::~EvaluationKeys() = default;

i64 EvaluationKeys::bytes() const {
  i64 sum = 0;
  for (size_t i = 0; i < source_.slots.size(); ++i)
    if (entries_[i].is_ready.load(std::memory_order_acquire)) sum += entries_[i].key.bytes();
  return sum;
}

const EvaluationKeys::Entry* EvaluationKeys::find(KeyKind kind, i64 rotation) const {
  const auto found = index_.find({kind, rotation});
  return found == index_.end() ? nullptr : &entries_[size_t(found->second)];
}

const SwitchingKey& EvaluationKeys::ready(const Entry& entry) const {
  if (entry.is_ready.load(std::memory_order_acquire)) [[likely]]
    return entry.key;
  const std::lock_guard lock(entry.mutex);
  if (!entry.is_ready.load(std::memory_order_relaxed)) {
    entry.key = source_.load(&entry - entries_.get());
    entry.is_ready.store(true, std::memory_order_release);
  }
  return entry.key;
}

/// asked: the rotation in the caller's words, for messages.
const SwitchingKey& EvaluationKeys::serving(KeyKind kind, int level, i64 rotation,
                                            i64 asked) const {
  const Entry* entry = find(kind, rotation);
  if (entry != nullptr && entry->slot.level >= level) [[likely]]
    return ready(*entry);
  const std::string what = KeySlot{kind, asked, level, 0}.text();
  require(entry != nullptr, ErrorKind::bad_argument, "keys: ", what,
          " is not among the keys; the program's manifest needs it");
  fail(ErrorKind::bad_argument, "keys: ", what, " is among the keys up to level ",
       entry->slot.level, " only, found a ciphertext of level ", level,
       "; the program's manifest needs it there");
}

const SwitchingKey& EvaluationKeys::galois(const Context& context, i64 rotation, int level) const {
  require(params_hash_ == context.params().hash(), ErrorKind::bad_argument,
          "keys: the evaluation keys belong to other parameters: expected hash ", std::hex,
          context.params().hash(), ", found ", params_hash_);
  return serving(KeyKind::rotation, level, detail::normalise_rotation(rotation, context.slots()),
                 rotation);
}

const SwitchingKey& EvaluationKeys::conjugation(int level) const {
  return serving(KeyKind::conjugation, level);
}

const SwitchingKey& EvaluationKeys::relinearisation(int level) const {
  return serving(KeyKind::relinearisation, level);
}

const SwitchingKey& EvaluationKeys::to_sparse() const { return serving(KeyKind::to_sparse, 0); }

const SwitchingKey& EvaluationKeys::to_dense(int level) const {
  return serving(KeyKind::to_dense, level);
}

const SwitchingKey& EvaluationKeys::key(i64 slot) const {
  SINTER_ASSERT(slot >= 0 && slot < std::ssize(source_.slots));
  return ready(entries_[size_t(slot)]);
}

void EvaluationKeys::will_need(const Context& context, i64 rotation) const {
  const Entry* entry =
      find(KeyKind::rotation, detail::normalise_rotation(rotation, context.slots()));
  if (entry != nullptr && source_.will_need) source_.will_need(entry - entries_.get(), true);
}

void EvaluationKeys::release(const Context& context, i64 rotation) const {
  const Entry* entry =
      find(KeyKind::rotation, detail::normalise_rotation(rotation, context.slots()));
  if (entry != nullptr && source_.will_need) source_.will_need(entry - entries_.get(), false);
}

}  // namespace sinter::ckks
