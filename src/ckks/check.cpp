// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "base/error.h"
#include "ckks/detail/check.h"
#include "ckks/evaluate.h"

namespace sinter::ckks::detail {

void check_ciphertext(const Context& context, const Ciphertext& x, std::string_view operation,
                      int parts) {
  require(!x.empty(), ErrorKind::bad_argument, operation, ": found an empty ciphertext");
  require(x.params_hash() == context.params().hash() && x.part(0).n() == context.n() &&
              x.level() <= context.max_level(),
          ErrorKind::bad_argument, operation,
          ": the ciphertext belongs to other parameters: expected hash ", std::hex,
          context.params().hash(), ", found ", x.params_hash());
  require(parts == 0 || x.parts() == parts, ErrorKind::bad_argument, operation, ": expected ",
          parts, " parts, found ", x.parts(),
          x.parts() == 3 ? " (relinearise the product first)" : "");
}

void check_plaintext(const Context& context, const Plaintext& p, std::string_view operation,
                     int min_level) {
  require(p.poly.n() == context.n() && p.poly.is_ntt() && p.level >= 0 &&
              p.level <= context.max_level(),
          ErrorKind::bad_argument, operation,
          ": the plaintext belongs to another ring: expected N = ", context.n(),
          " and a level of 0 to ", context.max_level(), ", found N = ", p.poly.n(), ", level ",
          p.level);
  require(p.basis == Basis::q && p.poly.limbs() == p.level + 1, ErrorKind::bad_argument, operation,
          ": expected a plaintext of basis q with ", p.level + 1, " limbs, found ", p.poly.limbs());
  require(p.level >= min_level, ErrorKind::bad_argument, operation,
          ": expected a plaintext of level ", min_level, " or more, found ", p.level);
  check_scale(p.scale, operation);
}

void check_same_level(const Ciphertext& x, const Ciphertext& y, std::string_view operation) {
  require(x.level() == y.level(), ErrorKind::bad_argument, operation,
          ": expected operands of one level, found ", x.level(), " and ", y.level());
}

void check_same_scale(double expected, double found, std::string_view operation) {
  require(std::abs(expected - found) <= kScaleTolerance * expected, ErrorKind::bad_argument,
          operation, ": expected scales that agree to 2^-20, found 2^", std::log2(expected),
          " and 2^", std::log2(found), " (relative difference ", found / expected - 1, ")");
}

void check_scale(double scale, std::string_view operation) {
  require(std::isfinite(scale) && scale > 0, ErrorKind::bad_argument, operation,
          ": expected a positive finite scale, found ", scale);
}

void check_level(const Context& context, int level, std::string_view operation) {
  require(level >= 0 && level <= context.max_level(), ErrorKind::bad_argument, operation,
          ": expected a level of 0 to ", context.max_level(), ", found ", level);
}

void check_evaluation_keys(const Context& context, const EvaluationKeys& keys,
                           std::string_view operation) {
  require(keys.params_hash() == context.params().hash(), ErrorKind::bad_argument, operation,
          ": the evaluation keys belong to other parameters: expected hash ", std::hex,
          context.params().hash(), ", found ", keys.params_hash());
}

double rounded_integer(const Context& context, double value, double scale, int level,
                       std::string_view operation) {
  const double integer = std::nearbyint(value * scale);
  require(std::isfinite(integer) &&
              (integer == 0 || std::log2(std::abs(integer)) + 2 <= context.params().log2_q(level)),
          ErrorKind::bad_argument, operation, ": the value ", value, " at scale 2^",
          std::log2(scale), " does not fit level ", level);
  return integer;
}

}  // namespace sinter::ckks::detail
