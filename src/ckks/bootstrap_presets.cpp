// SPDX-License-Identifier: Apache-2.0
// Both chains leave nine levels of 40 bits at N = 2^16. log2(Q P) is 1,389 and 1,542: below the
// 1,550 of a sparse main secret of weight 192, and below the 1,747 of a ternary one, whose rounding
// noise is larger by sqrt(2N / 3 / 192), four bits of the result.
#include "base/error.h"
#include "ckks/bootstrap.h"

namespace sinter::ckks {
namespace {

void append(std::vector<int>& sizes, int count, int bits) {
  sizes.insert(sizes.end(), size_t(count), bits);
}

/// q_0, the levels left, slots to coefficients, the sine, coefficients to slots.
CkksOptions chain(int to_coefficients_bits, int sine_levels) {
  CkksOptions o;
  o.log_n = 16;
  append(o.log_q, 1, 48);
  append(o.log_q, 9, 40);
  append(o.log_q, 3, to_coefficients_bits);
  append(o.log_q, sine_levels, 48);
  append(o.log_q, 4, 48);
  o.log_p.assign(6, 48);
  o.log_scale = 40;
  o.secret = SecretKind::sparse;
  o.hamming_weight = 192;
  return o;
}

}  // namespace

std::vector<std::string> bootstrap_preset_names() { return {"fast", "precise"}; }

BootstrapPreset bootstrap_preset(std::string_view name) {
  BootstrapPreset preset;
  if (name == "fast") {
    preset.params = chain(39, 8);
    return preset;
  }
  require(name == "precise", ErrorKind::bad_argument,
          "bootstrap: expected the preset fast or precise, found ", name);
  preset.params = chain(42, 11);
  preset.options.log_message_ratio = 4;
  preset.options.arcsine_degree = 7;
  return preset;
}

}  // namespace sinter::ckks
