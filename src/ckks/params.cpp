// SPDX-License-Identifier: Apache-2.0
#include "ckks/params.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/error.h"
#include "base/hash.h"
#include "ring/modulus.h"

namespace sinter::ckks {
namespace {

constexpr i64 kMinLogN = 4, kMinSecureLogN = 10, kMaxLogN = 17;
constexpr int kMinPrimeBits = 20, kMaxPrimes = 64, kMaxSpecial = 16, kMinSparseWeight = 192;
constexpr u32 kVersion = 1;

/// The table of ePrint 2024/463 for uniform ternary, and the sparse lines; 0 = no line.
double security_limit(const CkksOptions& o) {
  constexpr double kTernary[] = {26, 53, 106, 214, 430, 868, 1747, 3523};
  if (o.log_n < kMinSecureLogN || o.log_n > kMaxLogN) return 0;
  if (o.secret == SecretKind::ternary) return kTernary[o.log_n - kMinSecureLogN];
  if (o.hamming_weight < kMinSparseWeight) return 0;
  return o.log_n == 15 ? 768 : o.log_n == 16 ? 1550 : 0;
}

void check_sizes(const char* what, const std::vector<int>& bits, int min_count, int max_count) {
  require(std::ssize(bits) >= min_count && std::ssize(bits) <= max_count, ErrorKind::bad_argument,
          "parameters: ", what, ": expected ", min_count, " to ", max_count, " primes, found ",
          bits.size());
  for (int b : bits)
    require(b >= kMinPrimeBits && b <= ring::kMaxPrimeBits, ErrorKind::bad_argument,
            "parameters: ", what, ": expected sizes of ", kMinPrimeBits, " to ",
            ring::kMaxPrimeBits, " bits, found ", b);
}

void check_ranges(const CkksOptions& o) {
  require(o.log_n >= kMinLogN && o.log_n <= kMaxLogN, ErrorKind::bad_argument,
          "parameters: log_n: expected ", kMinLogN, " to ", kMaxLogN, ", found ", o.log_n);
  check_sizes("log_q", o.log_q, 1, kMaxPrimes);
  check_sizes("log_p", o.log_p, 0, kMaxSpecial);
  require(o.log_scale >= 10 && o.log_scale <= 60, ErrorKind::bad_argument,
          "parameters: log_scale: expected 10 to 60, found ", o.log_scale);
  require(o.secret == SecretKind::ternary || o.secret == SecretKind::sparse,
          ErrorKind::bad_argument, "parameters: secret: expected ternary or sparse, found kind ",
          int(o.secret));
  require(o.security == Security::bits128 || o.security == Security::none_for_tests,
          ErrorKind::bad_argument,
          "parameters: security: expected bits128 or none_for_tests, found kind ", int(o.security));
  if (o.secret == SecretKind::sparse)
    require(o.hamming_weight >= 1 && o.hamming_weight <= i64(1) << o.log_n, ErrorKind::bad_argument,
            "parameters: hamming_weight: expected 1 to ", i64(1) << o.log_n, ", found ",
            o.hamming_weight);
}

/// Primes in the order of `bits`; those of one size come alternately from above and below 2^size.
std::vector<u64> find_primes(const CkksOptions& o, const std::vector<int>& bits,
                             std::vector<u64>& taken) {
  std::vector<u64> primes;
  for (int b : bits) {
    // One at a time would always take the one above; a size's whole supply comes in one call.
    const int before = int(std::count(bits.begin(), bits.begin() + std::ssize(primes), b));
    const int count = int(std::count(bits.begin(), bits.end(), b));
    primes.push_back(ring::ntt_primes(i64(1) << o.log_n, b, count, taken)[size_t(before)]);
  }
  taken.insert(taken.end(), primes.begin(), primes.end());
  return primes;
}

double log2_product(std::span<const u64> primes) {
  double sum = 0;
  for (u64 p : primes) sum += std::log2(double(p));
  return sum;
}

/// A digit larger than P would multiply the key-switching noise by the quotient.
void check_digits(std::span<const u64> q, std::span<const u64> p) {
  if (p.empty()) return;
  const double special = log2_product(p);
  for (size_t first = 0; first < q.size(); first += p.size()) {
    const double digit = log2_product(q.subspan(first, std::min(p.size(), q.size() - first)));
    require(digit <= special + 1, ErrorKind::bad_argument, "parameters: the special primes give ",
            special, " bits, but the digit of q_", first, " has ", digit,
            ": expected special primes at least as large as the ciphertext primes");
  }
}

}  // namespace

CkksParams CkksParams::check(const CkksOptions& options) {
  check_ranges(options);
  CkksParams params;
  params.options_ = options;
  if (options.secret == SecretKind::ternary) params.options_.hamming_weight = 0;  // unused
  std::vector<u64> taken;
  params.q_ = find_primes(options, options.log_q, taken);
  params.p_ = find_primes(options, options.log_p, taken);
  check_digits(params.q_, params.p_);
  if (options.security == Security::bits128) {
    const double limit = security_limit(options), found = params.log2_qp();
    require(limit > 0, ErrorKind::bad_argument, "parameters: no 128-bit security line for N = 2^",
            options.log_n,
            options.secret == SecretKind::ternary
                ? ": expected log_n of 10 to 17"
                : ": a sparse secret needs log_n 15 or 16 and hamming_weight >= 192");
    require(found <= limit, ErrorKind::bad_argument, "parameters: log2(Q P) = ", found,
            " bits is insecure: at most ", limit, " bits give 128-bit security at N = 2^",
            options.log_n, "; use fewer or smaller primes, or a larger log_n");
  }
  ByteWriter identity;
  identity.u32_(kVersion);
  identity.i64_(options.log_n);
  identity.u32_(u32(options.log_scale));
  identity.u32_(u32(options.secret));
  identity.u32_(u32(params.options_.hamming_weight));
  identity.u32_(u32(options.security));
  identity.u32_(u32(params.q_.size()));
  for (u64 q : params.q_) identity.u64_(q);
  for (u64 p : params.p_) identity.u64_(p);
  params.hash_ = short_hash(identity.view());
  return params;
}

double CkksParams::scale() const { return std::ldexp(1.0, options_.log_scale); }
double CkksParams::log2_q(int level) const {
  return log2_product(q().subspan(0, size_t(level) + 1));
}
double CkksParams::log2_qp() const { return log2_product(q_) + log2_product(p_); }
double CkksParams::log2_qp_limit() const { return security_limit(options_); }
double CkksParams::log2_encapsulation_limit() const {
  // 2^15: 90 bits would be 128 by the estimate of docs/security.md, with nothing to spare; 2^16:
  // 144.
  return options_.log_n == 15 ? 84 : options_.log_n > 15 ? 121 : 0;
}

std::string CkksParams::security_text() const {
  const double limit = log2_qp_limit();
  std::string secret = "ternary secret";
  if (options_.secret == SecretKind::sparse)
    secret = "sparse secret of weight " + std::to_string(options_.hamming_weight);
  char numbers[128];
  std::snprintf(numbers, sizeof numbers, "N = 2^%d, log2 QP = %.1f", int(options_.log_n),
                log2_qp());
  char bound[64] = "";
  if (limit > 0) std::snprintf(bound, sizeof bound, " of at most %.0f", limit);
  const char* claim = options_.security == Security::bits128
                          ? "128-bit classical"
                          : "NO SECURITY CLAIMED (parameters for tests)";
  return std::string(claim) + ", " + secret + ", " + numbers + bound;
}

void CkksParams::serialise(ByteWriter& out) const {
  out.u32_(kVersion);
  out.u32_(u32(options_.log_n));
  out.u32_(u32(options_.log_scale));
  out.u32_(u32(options_.secret));
  out.u32_(u32(options_.hamming_weight));
  out.u32_(u32(options_.security));
  for (const std::vector<int>* sizes : {&options_.log_q, &options_.log_p}) {
    out.u32_(u32(sizes->size()));
    for (int bits : *sizes) out.u32_(u32(bits));
  }
  out.u64_(hash_);
}

CkksParams CkksParams::parse(ByteReader& in) {
  const u32 version = in.u32_();
  require(version == kVersion, ErrorKind::bad_input, in.what(), ": parameters: expected version ",
          kVersion, ", found ", version);
  const auto small = [&] {
    const u32 value = in.u32_();
    require(value <= 1u << 20, ErrorKind::bad_input, in.what(), ": parameters: a value of ", value,
            " is out of range");
    return int(value);
  };
  CkksOptions o;
  o.log_n = small();
  o.log_scale = small();
  o.secret = SecretKind(small());
  o.hamming_weight = small();
  o.security = Security(small());
  for (std::vector<int>* sizes : {&o.log_q, &o.log_p}) {
    const int count = small();
    require(count <= kMaxPrimes, ErrorKind::bad_input, in.what(), ": parameters: expected at most ",
            kMaxPrimes, " primes, found ", count);
    for (int i = 0; i < count; ++i) sizes->push_back(small());
  }
  const u64 hash = in.u64_();
  try {
    CkksParams params = check(o);
    require(params.hash() == hash, ErrorKind::bad_input, in.what(),
            ": parameters: the stored hash does not match the primes of these options");
    return params;
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::bad_input) throw;
    fail(ErrorKind::bad_input, in.what(), ": ", e.what());
  }
}

}  // namespace sinter::ckks
