// SPDX-License-Identifier: Apache-2.0
// The checks at the door of every operation, with one wording.
#pragma once
#include <string_view>

#include "ckks/ciphertext.h"
#include "ckks/context.h"
#include "ckks/keys.h"

namespace sinter::ckks::detail {

/// The ciphertext is not empty, belongs to the context and has `parts` parts (0: 2 or 3).
void check_ciphertext(const Context& context, const Ciphertext& x, std::string_view operation,
                      int parts = 0);
/// Basis q, right ring, level at least `min_level`.
void check_plaintext(const Context& context, const Plaintext& p, std::string_view operation,
                     int min_level = 0);
void check_same_level(const Ciphertext& x, const Ciphertext& y, std::string_view operation);
/// Relative difference at most kScaleTolerance.
void check_same_scale(double expected, double found, std::string_view operation);
void check_scale(double scale, std::string_view operation);
/// The keys were made for these parameters.
void check_evaluation_keys(const Context& context, const EvaluationKeys& keys,
                           std::string_view operation);
/// round(value * scale), which must leave two bits of the modulus free.
double rounded_integer(const Context& context, double value, double scale, int level,
                       std::string_view operation);
void check_level(const Context& context, int level, std::string_view operation);

}  // namespace sinter::ckks::detail
