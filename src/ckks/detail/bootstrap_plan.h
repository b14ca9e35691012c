// SPDX-License-Identifier: Apache-2.0
// What a Bootstrapper knows before it sees a ciphertext.
//
// Scales. After raising, the phase M = f S m + q_0 I (f an integer that lifts a small message) is
// declared at the sine's scale Z, about 2^48; the factors to slots carry together Z / (q_0 K), 1/2
// for the split into real and imaginary part, and the inverse of what the trace multiplies by, each
// encoded at the prime it drops: t = (f S m / q_0 + I) / K comes out at scale Z. The sine gives
// 2 pi f S m / q_0 at a scale near Z. The factors to coefficients carry together q_0 / (2 pi F)
// with F = f S of an input at the parameters' scale, and their plain scales lead from the sine's
// scale to the one asked for. The smallest of them is encoded when it is needed: its plain scale
// takes up the real f S and the last bits of the sine's scale.
#pragma once
#include <memory>

#include "ckks/bootstrap.h"
#include "ckks/detail/bootstrap_factors.h"

namespace sinter::ckks::detail {

struct BootstrapPlan {
  std::shared_ptr<const Context> context;
  BootstrapOptions options;  ///< slots, target_level and output_scale filled in
  ScaledSine sine;
  bool is_packed = false;  ///< real and imaginary parts in one ciphertext
  int sine_level = 0;      ///< at which the sine starts
  int back_level = 0;      ///< at which the factors to coefficients start
  double sine_scale = 0;   ///< Z
  double nominal = 0;      ///< F
  Factors to_slots, to_coefficients;
  size_t adjusted = 0;  ///< of to_coefficients: the one that is encoded when needed
  i64 encoded_bytes = 0;
};

/// throws  Error as Bootstrapper::create
std::unique_ptr<const BootstrapPlan> plan_bootstrap(std::shared_ptr<const Context> context,
                                                    const BootstrapOptions& options,
                                                    ThreadPool& pool);

/// The same without the values of the factors: levels, options and rotations, in microseconds.
/// throws  as Bootstrapper::create
BootstrapPlan outline_bootstrap(const CkksParams& params, const BootstrapOptions& options);

/// The keys of a plan or an outline.
KeyManifest manifest_of(const CkksParams& params, const BootstrapPlan& plan);

/// The integer f that brings a message of this scale nearest to q_0 / 2^b.
double scale_up(double q0, double scale, int log_message_ratio);

}  // namespace sinter::ckks::detail
