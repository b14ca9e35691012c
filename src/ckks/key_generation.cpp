// SPDX-License-Identifier: Apache-2.0
// Generation of evaluation keys, in memory or one after another into a file. Every key draws from
// its own stream, so neither the number of threads nor the way of writing changes a bit.
#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "ckks/detail/key_file.h"
#include "ckks/detail/key_switch.h"
#include "ckks/detail/secrets.h"
#include "ring/rns.h"

namespace sinter::ckks {
namespace {

using ring::RnsPoly;

/// s^2 modulo every prime.
RnsPoly squared(const Context& context, const RnsPoly& s) {
  RnsPoly out = s.clone();
  for (int i = 0; i < s.limbs(); ++i) {
    const ring::Modulus& q = context.ring().modulus(i);
    for (u64& x : out.limb(i)) x = q.mul(x, x);
  }
  return out;
}

/// One switching key from s_from to s_to (both modulo every prime) of this level and number of
/// special primes.
SwitchingKey make_switching_key(const Context& context, const RnsPoly& s_from, const RnsPoly& s_to,
                                const KeySlot& slot, ring::SecretRng& rng) {
  const ring::RnsRing& ring = context.ring();
  SwitchingKey key;
  key.level = slot.level;
  key.seed = rng.seed();
  for (int d = 0; d < slot.digits(); ++d) {
    SwitchingKey::Digit digit{detail::sample_noise(context, slot.level, slot.limbs(), rng),
                              context.ring().make_poly(slot.limbs())};
    for (int i = 0; i < slot.limbs(); ++i) {
      const int prime = ring.prime_of(slot.level, i);
      const ring::Modulus q = ring.modulus(prime);
      u64 special = i <= slot.level && i / slot.special == d ? 1 : 0;
      for (int p = 0; p < slot.special; ++p)
        special = q.mul(special, ring.modulus(ring.max_level() + 1 + p).value() % q.value());
      const ring::ShoupFactor factor = q.shoup(special);
      ring::uniform_residues(key.seed, u64(d), q, digit.a.limb(i));
      const u64 *a = digit.a.limb(i).data(), *from = s_from.limb(prime).data(),
                *to = s_to.limb(prime).data();
      u64* b = digit.b.limb(i).data();
      for (i64 n = 0; n < context.n(); ++n)
        b[n] = q.sub(q.add(b[n], q.mul(to[n], factor)), q.mul(a[n], from[n]));
    }
    key.digits.push_back(std::move(digit));
  }
  return key;
}

SwitchingKey make_galois_key(const Context& context, const RnsPoly& s, const KeySlot& slot,
                             ring::SecretRng& rng) {
  const u64 element = detail::slot_element(slot, context.n());
  const u64 inverse = detail::inverse_element(element, context.n());
  const std::vector<u32> permutation = ring::automorphism_permutation(context.n(), inverse);
  RnsPoly from = s.clone();
  for (int i = 0; i < s.limbs(); ++i) ring::permute(s.limb(i), permutation, from.limb(i));
  SwitchingKey key = make_switching_key(context, from, s, slot, rng);
  key.galois_element = element;
  key.permutation = ring::automorphism_permutation(context.n(), element);
  return key;
}

/// The key under the sparse secret is the one that security hangs on.
void check_encapsulation(const Context& context, const KeyManifest& manifest) {
  const CkksParams& params = context.params();
  if (params.options().security == Security::none_for_tests) return;
  double bits = std::log2(double(params.q(0)));
  for (const KeySlot& slot : manifest.slots(params))
    for (int i = 0; slot.kind == KeyKind::to_sparse && i < slot.special; ++i)
      bits += std::log2(double(params.p()[size_t(i)]));
  require(bits <= params.log2_encapsulation_limit(), ErrorKind::bad_argument,
          "keys: encapsulation: the key under the sparse secret has ", bits,
          " bits: expected at most ", params.log2_encapsulation_limit(), " at N = 2^",
          params.log_n());
}

/// A fresh secret of weight kEncapsulationWeight modulo every prime.
RnsPoly ephemeral_secret(const Context& context, ring::SecretRng& rng) {
  std::vector<signed char> small(size_t(context.n()));
  ring::sample_sparse_ternary(rng, std::min<i64>(kEncapsulationWeight, context.n()), small);
  const int level = context.max_level();
  RnsPoly t = context.ring().from_small(small, level, level + 1 + context.ring().special_count());
  ring::wipe(small);
  return t;
}

void check_manifest(const Context& context, const KeyManifest& manifest) {
  require(manifest.key_count() == 0 || context.ring().special_count() > 0, ErrorKind::bad_argument,
          "keys: the parameters have no special primes (log_p), found a manifest of ",
          manifest.key_count(), " keys");
  const auto check_level = [&](int level, int min, const char* what) {
    require(level >= min && level <= context.max_level(), ErrorKind::bad_argument, "keys: ", what,
            ": expected a level of ", min, " to ", context.max_level(), ", found ", level);
  };
  check_level(manifest.relinearisation_level, -1, "relinearisation");
  check_level(manifest.conjugation_level, -1, "conjugation");
  check_level(manifest.encapsulation_level, -1, "encapsulation");
  if (manifest.encapsulation_level >= 0) check_encapsulation(context, manifest);
  for (const auto& [rotation, level] : manifest.rotations) {
    check_level(level, 0, "rotation");
    require(rotation >= 1 && rotation < context.slots(), ErrorKind::bad_argument,
            "keys: expected rotations of 1 to ", context.slots() - 1, ", found ", rotation);
  }
}

/// The keys of a manifest, one at a time in any order.
class KeyMaker {
 public:
  KeyMaker(const Context& context, const SecretKey& secret, const KeyManifest& manifest,
           ring::SecretRng& rng)
      : context_(context), s_(secret.poly()), slots_(manifest.slots(context.params())) {
    for (size_t i = 0; i < slots_.size(); ++i) {
      Seed seed = rng.seed();
      streams_.emplace_back(seed);
      ring::wipe({reinterpret_cast<signed char*>(seed.data()), seed.size()});
    }
    if (manifest.relinearisation_level >= 0) s_squared_ = squared(context, s_);
    if (manifest.encapsulation_level >= 0) t_ = ephemeral_secret(context, rng);
  }

  const std::vector<KeySlot>& slots() const { return slots_; }

  /// Key i, once. thread: different keys may be made at the same time
  SwitchingKey make(i64 i) {
    const KeySlot& slot = slots_[size_t(i)];
    ring::SecretRng& stream = streams_[size_t(i)];
    switch (slot.kind) {
      case KeyKind::relinearisation:
        return make_switching_key(context_, s_, s_squared_, slot, stream);
      case KeyKind::to_sparse:
        return make_switching_key(context_, t_, s_, slot, stream);
      case KeyKind::to_dense:
        return make_switching_key(context_, s_, t_, slot, stream);
      default:
        return make_galois_key(context_, s_, slot, stream);
    }
  }

 private:
  const Context& context_;
  const RnsPoly& s_;
  RnsPoly s_squared_, t_;  // marked secret
  std::vector<KeySlot> slots_;
  std::vector<ring::SecretRng> streams_;
};

}  // namespace

EvaluationKeys generate_evaluation_keys(const Context& context, const SecretKey& secret,
                                        const KeyManifest& manifest, ring::SecretRng& rng,
                                        ThreadPool& pool, const Progress& progress) {
  detail::check_key(context, secret, "evaluation keys");
  check_manifest(context, manifest);
  KeyMaker maker(context, secret, manifest, rng);
  std::vector<SwitchingKey> keys(maker.slots().size());
  std::atomic<i64> done{0};
  pool.run(std::ssize(keys), [&](i64 i, i64 worker) {
    keys[size_t(i)] = maker.make(i);
    const i64 finished = ++done;
    if (worker == 0 && progress) progress(finished, std::ssize(keys), "evaluation keys");
  });
  return {context.params().hash(), manifest, std::move(keys), secret.id()};
}

void generate_evaluation_key_file(const Context& context, const SecretKey& secret,
                                  const KeyManifest& manifest, ring::SecretRng& rng,
                                  const std::filesystem::path& path, ThreadPool& pool,
                                  const Progress& progress) {
  detail::check_key(context, secret, "evaluation keys");
  check_manifest(context, manifest);
  KeyMaker maker(context, secret, manifest, rng);
  const i64 count = std::ssize(maker.slots());
  detail::KeyFile file{secret.id(), manifest, 0, {}};
  file.records.resize(size_t(count));
  std::vector<Digest> digests(size_t(count), Digest{});
  const auto index = [&] {
    return detail::make_key_index(context.params().hash(), file, digests,
                                  ObjectKind::evaluation_keys);
  };
  AtomicFile out(path);
  out.write(index());  // room for it
  std::vector<std::vector<std::byte>> records(size_t(std::min<i64>(pool.size(), count)));
  for (i64 first = 0; first < count; first += std::ssize(records)) {
    const i64 some = std::min<i64>(std::ssize(records), count - first);
    pool.run(some, [&](i64 i, i64) {
      const SwitchingKey key = maker.make(first + i);
      file.records[size_t(first + i)].seed = key.seed;
      records[size_t(i)] = detail::compressed_record(key);
      digests[size_t(first + i)] = sha256(records[size_t(i)]);
    });
    for (i64 i = 0; i < some; ++i) out.write(records[size_t(i)]);
    if (progress) progress(first + some, count, "evaluation keys");
  }
  out.write_at(0, index());
  out.commit();
}

}  // namespace sinter::ckks
