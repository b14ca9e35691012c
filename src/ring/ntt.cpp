// SPDX-License-Identifier: Apache-2.0
// Tables, automorphisms, and the choice of transform. A faster transform is one more file and one
// more case in kernels().
#include "ring/ntt.h"

#include <bit>

#include "base/error.h"
#include "ring/fma_avx2.h"

namespace sinter::ring {
namespace {

u64 reverse_bits(u64 x, int bits) {
  u64 result = 0;
  for (int i = 0; i < bits; ++i) result |= ((x >> i) & 1) << (bits - 1 - i);
  return result;
}

/// The smallest g^((q-1)/2N) over g = 2, 3, ... that is a primitive 2N-th root of one.
u64 find_root(i64 n, const Modulus& q) {
  for (u64 g = 2; g < q.value(); ++g) {
    const u64 root = q.pow(g, (q.value() - 1) / (2 * u64(n)));
    if (q.pow(root, u64(n)) == q.value() - 1) return root;
  }
  fail(ErrorKind::bad_argument, "ntt: ", q.value(), " has no primitive root of order ", 2 * n);
}

std::vector<ShoupFactor> powers_in_reversed_order(i64 n, const Modulus& q, u64 root) {
  const int bits = std::countr_zero(u64(n));
  std::vector<ShoupFactor> table(static_cast<size_t>(n));
  u64 power = 1;
  for (i64 i = 0; i < n; ++i) {
    table[reverse_bits(u64(i), bits)] = q.shoup(power);
    power = q.mul(power, root);
  }
  return table;
}

struct Kernels {
  void (*forward)(const NttTables&, std::span<u64>);
  void (*inverse)(const NttTables&, std::span<u64>);
};

Kernels kernels(Isa isa) {
  switch (isa) {
    case Isa::avx512ifma:
      return {ntt_forward_avx512ifma, ntt_inverse_avx512ifma};
    case Isa::avx2:
      return {ntt_forward_avx2, ntt_inverse_avx2};
    case Isa::scalar:
      break;
  }
  return {ntt_forward_reference, ntt_inverse_reference};
}

void centre(std::span<const ShoupFactor> factors, u64 q, std::span<double> out) {
  for (size_t i = 0; i < out.size(); ++i) out[i] = centred(factors[i].w, q);
}

}  // namespace

NttTables::NttTables(i64 n, const Modulus& modulus) : n_(n), modulus_(modulus) {
  require(n >= 2 && n <= i64(1) << 17 && std::has_single_bit(u64(n)), ErrorKind::bad_argument,
          "ntt: expected a length that is a power of two in [2, 2^17], found ", n);
  require((modulus.value() - 1) % (2 * u64(n)) == 0 && is_prime(modulus.value()),
          ErrorKind::bad_argument, "ntt: expected a prime that is 1 modulo ", 2 * n, ", found ",
          modulus.value());
  root_ = find_root(n, modulus);
  forward_ = powers_in_reversed_order(n, modulus, root_);
  inverse_ = powers_in_reversed_order(n, modulus, modulus.inverse(root_));
  forward_doubles_.resize(size_t(n));
  inverse_doubles_.resize(size_t(n));
  centre(forward_, modulus.value(), forward_doubles_);
  centre(inverse_, modulus.value(), inverse_doubles_);
}

void ntt_forward(const NttTables& tables, std::span<u64> x, Isa isa) {
  kernels(isa).forward(tables, x);
}
void ntt_inverse(const NttTables& tables, std::span<u64> x, Isa isa) {
  kernels(isa).inverse(tables, x);
}

std::vector<u32> automorphism_permutation(i64 n, u64 galois_element) {
  require(galois_element % 2 == 1 && galois_element < 2 * u64(n), ErrorKind::bad_argument,
          "automorphism: expected an odd element below ", 2 * n, ", found ", galois_element);
  const int bits = std::countr_zero(u64(n));
  std::vector<u32> reversed(static_cast<size_t>(n)), permutation(static_cast<size_t>(n));
  for (u64 i = 0; i < u64(n); ++i) reversed[i] = u32(reverse_bits(i, bits));
  for (u64 i = 0; i < u64(n); ++i) {
    const u64 exponent = galois_element * (2 * u64(reversed[i]) + 1) % (2 * u64(n));
    permutation[i] = reversed[(exponent - 1) / 2];
  }
  return permutation;
}

}  // namespace sinter::ring
