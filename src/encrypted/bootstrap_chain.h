// SPDX-License-Identifier: Apache-2.0
// Parameters for programs that bootstrap: the primes of a preset of ckks/bootstrap.h above a chain
// of as many levels as the network wants between two bootstraps.
//
//   q_0 | levels left, log_scale bits each (or an explicit log_q) | last transform | sine | first
//   transform
//
// The presets' primes are kept: they belong to the sine's scale. What an explicit or long chain may
// break is the 128-bit table, by how much is said.
#pragma once
#include <string>
#include <string_view>

#include "ckks/bootstrap.h"
#include "encrypted/compile.h"

namespace sinter::encrypted {

struct BootstrapChain {
  ckks::CkksOptions params;
  ckks::BootstrapOptions options;  ///< for bootstrap_options(); raise_level and target_level open
  int levels_left = 0;
  /// 0 when these primes cannot be checked at all; limit 0: no line for this ring and secret.
  double log2_qp = 0, log2_qp_limit = 0;
  /// Empty when the parameters can be used; else what is wrong, with the number of bits.
  std::string reason;
};

/// The chain of a preset ("fast", "precise") that leaves `levels_left` levels, with the scheme's
/// ring, scale, secret, security and special primes. With scheme.log_q those are the levels left.
///
/// cost    the search for primes: milliseconds
/// throws  Error(bad_argument) for another preset, levels_left < 1, too many primes
BootstrapChain bootstrap_chain(int levels_left, const SchemeOptions& scheme,
                               std::string_view preset);

/// `base` (of a chain) for a value of this period, up to `target_level`, everything filled in. With
/// at most 2^12 slots the first transform has one factor less and its prime is not used.
/// throws  Error(bad_argument), Error(out_of_levels) as ckks::Bootstrapper::create
ckks::BootstrapOptions bootstrap_options(const ckks::CkksParams& params,
                                         const ckks::BootstrapOptions& base, i64 period,
                                         int target_level);

/// Bits by which the key under the ephemeral sparse secret (ckks/encapsulate.h) exceeds its own
/// limit; negative when it does not, or when the parameters claim no security.
double bits_over_encapsulation_limit(const ckks::CkksParams& params);

}  // namespace sinter::encrypted
