// SPDX-License-Identifier: Apache-2.0
#include "encrypted/bootstrap_chain.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "encrypted/levels.h"

namespace sinter::encrypted {
namespace {

constexpr i64 kFewSlots = 1 << 12;  // docs/ckks.md section 10: three factors do
constexpr int kMaxPrimes = 64;

/// The primes of a preset above the levels that it leaves.
std::vector<int> circuit(const ckks::BootstrapPreset& preset) {
  const auto is_level = [&](int bits) { return bits == preset.params.log_scale; };
  const std::vector<int>& all = preset.params.log_q;
  const auto first = std::find_if_not(all.begin() + 1, all.end(), is_level);
  return {first, all.end()};
}

std::string bits_text(double bits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", bits);
  return text;
}

std::string judge(const BootstrapChain& chain, const ckks::CkksParams& params) {
  const double room = std::log2(double(params.q(0))) - double(params.options().log_scale);
  const int ratio = chain.options.log_message_ratio;
  if (room < ratio - 1 - 1e-3)
    return "a message ratio of 2^" + std::to_string(ratio) +
           " needs log_q0 - log_scale of at least " + std::to_string(ratio - 1) + ", found " +
           bits_text(room);
  if (params.p().empty()) return "bootstraps need special primes (log_p)";
  if (chain.params.security != ckks::Security::bits128) return {};
  if (chain.log2_qp_limit == 0) return "there is no 128-bit line for this ring and secret";
  if (chain.log2_qp > chain.log2_qp_limit)
    return "log2 QP is " + bits_text(chain.log2_qp) + ", " +
           bits_text(chain.log2_qp - chain.log2_qp_limit) + " bits above the " +
           bits_text(chain.log2_qp_limit) + " of 128-bit security";
  ckks::CkksOptions secure = chain.params;
  const double over = bits_over_encapsulation_limit(ckks::CkksParams::check(secure));
  if (over > 0)
    return "the key of the ephemeral sparse secret is " + bits_text(over) +
           " bits above its own limit";
  return {};
}

}  // namespace

BootstrapChain bootstrap_chain(int levels_left, const SchemeOptions& scheme,
                               std::string_view preset_name) {
  const ckks::BootstrapPreset preset = ckks::bootstrap_preset(preset_name);
  const bool is_explicit = !scheme.log_q.empty();
  BootstrapChain chain;
  chain.levels_left = is_explicit ? int(scheme.log_q.size()) - 1 : levels_left;
  require(chain.levels_left >= 1, ErrorKind::bad_argument,
          "compile: expected at least one level between bootstraps, found ", chain.levels_left);
  chain.params = chain_for(scheme, chain.levels_left);
  const std::vector<int> above = circuit(preset);
  require(chain.params.log_q.size() + above.size() <= kMaxPrimes, ErrorKind::bad_argument,
          "compile: ", chain.levels_left, " levels and a bootstrap need ",
          chain.params.log_q.size() + above.size(), " primes, a chain has at most ", kMaxPrimes);
  chain.params.log_q.insert(chain.params.log_q.end(), above.begin(), above.end());
  chain.options = preset.options;
  ckks::CkksOptions probe = chain.params;
  probe.security = ckks::Security::none_for_tests;
  try {
    const ckks::CkksParams params = ckks::CkksParams::check(probe);
    chain.log2_qp = params.log2_qp();
    chain.log2_qp_limit = params.log2_qp_limit();
    chain.reason = judge(chain, params);
  } catch (const Error& error) {  // e.g. special primes smaller than the sine's
    chain.reason = error.what();
  }
  return chain;
}

ckks::BootstrapOptions bootstrap_options(const ckks::CkksParams& params,
                                         const ckks::BootstrapOptions& base, i64 period,
                                         int target_level) {
  ckks::BootstrapOptions options = base;
  options.slots =
      std::max(period, i64(1) << std::max(options.to_slots_levels, options.to_coefficients_levels));
  options.slots = std::min(options.slots, params.slots());
  options.target_level = target_level;
  if (options.slots <= kFewSlots && options.to_slots_levels == 4) {
    options.to_slots_levels = 3;
    options.raise_level = params.max_level() - 1;
  }
  options.memory_budget = ckks::BootstrapOptions().memory_budget;
  return ckks::outline_bootstrap(params, options).options;
}

double bits_over_encapsulation_limit(const ckks::CkksParams& params) {
  if (params.options().security != ckks::Security::bits128) return -1;
  ckks::KeyManifest manifest;
  manifest.encapsulation_level = 0;
  double bits = 0;
  for (const ckks::KeySlot& slot : manifest.slots(params)) {
    if (slot.kind != ckks::KeyKind::to_sparse) continue;
    bits = params.log2_q(slot.level);
    for (int i = 0; i < slot.special; ++i) bits += std::log2(double(params.p()[size_t(i)]));
  }
  return bits - params.log2_encapsulation_limit();
}

}  // namespace sinter::encrypted
