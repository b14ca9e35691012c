// SPDX-License-Identifier: Apache-2.0
// The negacyclic number-theoretic transform modulo q = 1 (mod 2N). psi is a primitive 2N-th root of
// one; position i of the transform holds the value of the polynomial at psi^(2 bitrev(i) + 1), so a
// product in Z_q[X]/(X^N + 1) is the product position by position.
//
// A polynomial in Y = X^(N/n), n a power of two below N, has the transform of length n over the
// root psi^(N/n), each value repeated N/n times; its tables are prefixes of the tables here. Hence
// every function takes spans of any power of two up to N.
#pragma once
#include <new>
#include <span>
#include <vector>

#include "base/cpu.h"
#include "base/types.h"
#include "ring/modulus.h"

namespace sinter::ring {

/// Memory that starts on a cache line: vectors of factors never straddle two.
template <class T>
struct LineAllocator {
  using value_type = T;
  LineAllocator() = default;
  template <class U>
  LineAllocator(const LineAllocator<U>&) {}
  T* allocate(size_t count) {
    return static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t(64)));
  }
  void deallocate(T* p, size_t) { ::operator delete(p, std::align_val_t(64)); }
  bool operator==(const LineAllocator&) const { return true; }
};

/// Twiddle factors of one (N, q), in bit-reversed order. Immutable. thread: safe to share.
class NttTables {
 public:
  /// n a power of two in [2, 2^17], q = 1 (mod 2n).
  /// throws  Error(bad_argument)
  NttTables(i64 n, const Modulus& modulus);

  i64 n() const { return n_; }
  const Modulus& modulus() const { return modulus_; }
  u64 root() const { return root_; }  ///< psi

  /// forward()[m + i] = psi^bitrev(m + i) for the layer of m groups.
  std::span<const ShoupFactor> forward() const { return forward_; }
  /// inverse()[m + i] = psi^-bitrev(m + i).
  std::span<const ShoupFactor> inverse() const { return inverse_; }
  /// The same factors, the representatives of least magnitude.
  std::span<const double> forward_doubles() const { return forward_doubles_; }
  std::span<const double> inverse_doubles() const { return inverse_doubles_; }

 private:
  i64 n_;
  Modulus modulus_;
  u64 root_;
  std::vector<ShoupFactor> forward_, inverse_;
  std::vector<double, LineAllocator<double>> forward_doubles_, inverse_doubles_;
};

/// In place, natural order to bit-reversed order.
/// x       canonical residues in and out; size a power of two in [1, n]
/// cost    (n/2) log2 n butterflies
/// checked by the caller: the size
/// thread  safe on distinct spans
///
/// Source: Longa, Naehrig 2016 (negacyclic, bit-reversed twiddles); Harvey 2014 (lazy ranges).
void ntt_forward(const NttTables& tables, std::span<u64> x, Isa isa = active_isa());
/// In place, bit-reversed order to natural order, divided by the size.
void ntt_inverse(const NttTables& tables, std::span<u64> x, Isa isa = active_isa());

/// The textbook 64-bit transforms: the oracle of every faster one, and the base of its ratio.
void ntt_forward_reference(const NttTables& tables, std::span<u64> x);
void ntt_inverse_reference(const NttTables& tables, std::span<u64> x);
/// Doubles and fused multiply-add, four lanes; only where Isa::avx2 runs.
void ntt_forward_avx2(const NttTables& tables, std::span<u64> x);
void ntt_inverse_avx2(const NttTables& tables, std::span<u64> x);
/// Words and 52-bit products, eight lanes; only where Isa::avx512ifma runs.
void ntt_forward_avx512ifma(const NttTables& tables, std::span<u64> x);
void ntt_inverse_avx512ifma(const NttTables& tables, std::span<u64> x);

/// The permutation of the automorphism X -> X^g in transform order: out[i] = in[p[i]].
/// galois_element odd, below 2n
std::vector<u32> automorphism_permutation(i64 n, u64 galois_element);
/// out[i] = in[p[i]]; out is not in.
/// permutation  of automorphism_permutation: it maps every aligned block of 2^k positions to one
/// cost         one read of each line of `in` in a scattered order, fetched ahead
void permute(std::span<const u64> in, std::span<const u32> permutation, std::span<u64> out,
             Isa isa = active_isa());

/// out[i] = (x[j] - y[j]) w + z[j] modulo q with j = p[i]: the end of a rotation in one pass. Rows
/// of canonical residues, z = nullptr for zero; out is none of them.
void permute_quotient(const u64* x, const u64* y, const u64* z, std::span<const u32> permutation,
                      const Modulus& q, const ShoupFactor& w, u64* out, Isa isa = active_isa());

}  // namespace sinter::ring
