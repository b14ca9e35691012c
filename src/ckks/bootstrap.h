// SPDX-License-Identifier: Apache-2.0
// Bootstrapping: a ciphertext without levels becomes one of the same values with levels.
//
//   raise            c mod q_0 -> modulo all primes: the phase is m + q_0 I with |I| < K. Under the
//                    main secret K would be large; so the ciphertext is switched to an ephemeral
//                    secret of weight 32 (modulo q_0 p_0, the only modulus of that key), raised,
//                    and switched back (sparse-secret encapsulation)
//   to slots         the coefficients m_i / q_0 + I_i, over K, become slot values: the inverse
//                    transform in few factors (dft.h), then real and imaginary part
//   sine             removes I (bootstrap_sine.h)
//   to coefficients  the slots become coefficients again: the transform in few factors
//
// The chain of primes, from the bottom: q_0, those of the levels left, one per factor of the last
// step, one per level of the sine, one per factor of the second step. The last two groups are of
// one size, at which the sine's scale stays; factors are encoded at the prime that is dropped, and
// the result has exactly the scale asked for.
//
// With fewer slots than N/2 (a vector that repeats) the trace to the subring comes after raising,
// and real and imaginary part share one ciphertext: about twice as fast.
//
// Sources: Cheon, Han, Kim, Kim, Song 2018 ("Bootstrapping for approximate homomorphic
// encryption"); Bossuat, Mouchet, Troncoso-Pastoriza, Hubaux 2021 (chain, scales); Bossuat,
// Troncoso-Pastoriza, Hubaux 2022 (encapsulation).
#pragma once
#include <complex>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/threads.h"
#include "ckks/bootstrap_sine.h"
#include "ckks/keys.h"

namespace sinter::ckks {

namespace detail {
struct BootstrapPlan;
}

/// Plain input.
struct BootstrapOptions {
  i64 slots = 0;            ///< values that repeat over the N/2 slots, a power of two; 0 = N/2
  int target_level = -1;    ///< of the result; -1 = the highest that the chain leaves
  double output_scale = 0;  ///< of the result; 0 = the parameters' scale
  int log_message_ratio =
      8;                   ///< q_0 over the message: smaller is more precise until the sine bends
  int arcsine_degree = 0;  ///< odd; straightens the sine for small ratios. 0 = none
  int double_angles = 3;
  int range = 16;  ///< K, for the weight of the ephemeral secret
  int to_slots_levels = 4, to_coefficients_levels = 3;
  int raise_level = -1;              ///< primes above are not used; -1 = the chain's highest
  i64 memory_budget = i64(1) << 30;  ///< bytes of factors encoded ahead; the others when needed

  bool operator==(const BootstrapOptions&) const = default;
};

/// Parameters and options that belong together.
struct BootstrapPreset {
  CkksOptions params;
  BootstrapOptions options;
};
/// "fast" (message ratio 2^8) and "precise" (2^4 with an arcsine of degree 7), N = 2^16, nine
/// levels of 40 bits left, main secret of weight 192; measured figures are in docs/ckks.md.
/// Changing the ring or the secret is the caller's right; CkksParams::check judges the result.
/// throws  Error(bad_argument) for another name
BootstrapPreset bootstrap_preset(std::string_view name);
/// The names.
std::vector<std::string> bootstrap_preset_names();

/// What a bootstrap does and needs, from parameters and options alone. A value.
struct BootstrapOutline {
  /// One linear map with Horner's giant steps.
  struct Map {
    int level = 0;  ///< at which it is evaluated
    i64 diagonals = 0, hoisted = 0, giants = 0;
    i64 period = 0;                        ///< of its diagonals
    bool is_encoded_at_each_call = false;  ///< one of them; the others are made ahead
  };

  BootstrapOptions options;  ///< slots, target_level, output_scale and raise_level filled in
  KeyManifest manifest;
  std::vector<Map> maps;  ///< to slots, then to coefficients
  int sine_level = 0, sine_depth = 0;
  i64 sine_products = 0;  ///< of ciphertexts, in all sines together
  i64 rotations = 0;      ///< outside maps: the trace, the conjugation, the switch of secrets
};

/// cost    microseconds
/// throws  as Bootstrapper::create
/// source  the counts are those of the plan that Bootstrapper makes
BootstrapOutline outline_bootstrap(const CkksParams& params, const BootstrapOptions& options);

/// Standard deviation of the error of one bootstrap in the real part of a slot, for values up to
/// one. Roundings at the sine's scale, taken through double angles, message ratio and transform:
/// 4^r 2^b / (2 pi) sqrt(2 slots) times a few roundings; the factor is fitted to measurements
/// (tests/ckks/bootstrap_outline_test.cpp). What the sine bends is not part of it: see bent().
double bootstrap_error(const CkksParams& params, const BootstrapOptions& options);

/// What a bootstrap makes of options.slots values without any noise: the sine bends large
/// coefficients, by a share of (2 pi 2^-b c)^2 / 6 without an arcsine.
/// cost    log2(slots) butterfly layers each way
/// throws  Error(bad_argument) for another number of values
std::vector<std::complex<double>> bent(const CkksParams& params, const BootstrapOptions& options,
                                       std::span<const std::complex<double>> slots);

/// Immutable. thread: safe to share; results do not depend on the number of threads of `pool`.
class Bootstrapper {
 public:
  /// Plans the factors and encodes what the budget allows.
  /// cost    1.2 s and 0.6 GB at N = 2^16 with a budget that holds them all
  /// throws  Error(bad_argument): options out of range, a chain too short for them or whose primes
  ///         do not fit (the message says which); Error(out_of_levels): target_level too high
  static std::shared_ptr<const Bootstrapper> create(std::shared_ptr<const Context> context,
                                                    const BootstrapOptions& options,
                                                    ThreadPool& pool);
  ~Bootstrapper();
  Bootstrapper(const Bootstrapper&) = delete;
  Bootstrapper& operator=(const Bootstrapper&) = delete;

  const BootstrapOptions& options() const;
  /// The keys that bootstrap() uses, each up to its level, the two of the encapsulation among them.
  KeyManifest manifest() const;
  int output_level() const;     ///< of the result
  double output_scale() const;  ///< of the result, exact
  i64 encoded_bytes() const;    ///< of factors encoded ahead
  /// Bound for the probability that one bootstrap of a random ciphertext goes wrong.
  double log2_failure() const;

  /// x           two parts, any level (only q_0 is looked at), scale at most q_0 / 2^(b-1) for a
  ///             message ratio of 2^b; |values| <= 1 for the stated precision. With options.slots
  ///             its plaintext repeats with that period
  /// out         level output_level(), scale output_scale()
  /// noise       measured figures in docs/ckks.md
  /// cost        linear maps of 93 and 158 diagonals and two sines at 2^15 slots; seconds, keys and
  ///             memory in docs/ckks.md
  /// throws      Error(bad_argument): scale too large (naming log2 q_0 and the ratio), a missing or
  ///             truncated key (naming it), operands of another Context
  Ciphertext bootstrap(const Ciphertext& x, const EvaluationKeys& keys, ThreadPool& pool) const;

  // The steps, for tests and measurements; bootstrap() is these four. Each takes what the one
  // before gives: another number of ciphertexts, level or Context is an Error(bad_argument).

  /// x at level 0 of scale S -> options().raise_level: the coefficients are f S m + q_0 I (with
  /// fewer slots: those of the subring), declared at sine_scale().
  Ciphertext raise(const Ciphertext& x, const EvaluationKeys& keys, ThreadPool& pool) const;
  /// -> the coefficients over K q_0, slot by slot in the order of reversed bits, the whole rotated:
  /// 0 to n - 1 and n to 2n - 1 in two ciphertexts, or one after the other in one when the slots n
  /// are fewer than N/2.
  std::vector<Ciphertext> to_slots(const Ciphertext& raised, const EvaluationKeys& keys,
                                   ThreadPool& pool) const;
  /// -> 2 pi (the fractional part of K times the value)
  Ciphertext sine(const Ciphertext& t, const EvaluationKeys& keys, ThreadPool& pool) const;
  /// -> the result. input_scale: that of x.
  Ciphertext to_coefficients(std::vector<Ciphertext> parts, double input_scale,
                             const EvaluationKeys& keys, ThreadPool& pool) const;
  double sine_scale() const;

 private:
  explicit Bootstrapper(std::unique_ptr<const detail::BootstrapPlan> plan);
  std::unique_ptr<const detail::BootstrapPlan> plan_;
};

}  // namespace sinter::ckks
