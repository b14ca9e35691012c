// SPDX-License-Identifier: Apache-2.0
// Loops over residues that are neither transforms nor permutations: sums of products, conversion
// between primes, products with one factor. All take and give canonical residues below primes of
// at most 48 bits; every instruction set gives the same ones. n >= 0, any length, rows anywhere in
// memory. An output may be the same row as an input, unless a function says otherwise.
// thread: safe on distinct outputs.
#pragma once
#include <span>

#include "base/cpu.h"
#include "ring/modulus.h"

namespace sinter::ring {

/// One product of a sum over two rows: factor[i >> shift] with first[i] and with second[i].
struct PairTerm {
  const u64 *factor, *first, *second;
  int shift = 0;  ///< a factor of N >> shift values, each repeated
};
/// out0[i] = sum factor[i >> shift] first[i] mod q, out1 with second. All residues modulo q; no
/// output is an input. Any number of terms.
/// cost  2 n products per term; the rows are read once, the sums stay in registers
void sum_products(std::span<const PairTerm> terms, const Modulus& q, i64 n, u64* out0, u64* out1,
                  Isa isa = active_isa());

/// out[i] = x[i] + y[i] mod q.
void add(const u64* x, const u64* y, const Modulus& q, i64 n, u64* out, Isa isa = active_isa());
/// out[i] = x[i] - y[i] mod q.
void subtract(const u64* x, const u64* y, const Modulus& q, i64 n, u64* out,
              Isa isa = active_isa());
/// out[i] = -x[i] mod q.
void negate(const u64* x, const Modulus& q, i64 n, u64* out, Isa isa = active_isa());
/// out[i] = x[i] + constant mod q; constant a residue.
void add_constant(const u64* x, u64 constant, const Modulus& q, i64 n, u64* out,
                  Isa isa = active_isa());
/// out[i] = x[i] y[i] mod q.
void multiply(const u64* x, const u64* y, const Modulus& q, i64 n, u64* out,
              Isa isa = active_isa());
/// sum[i] += x[i] y[i] mod q.
void multiply_and_add(const u64* x, const u64* y, const Modulus& q, i64 n, u64* sum,
                      Isa isa = active_isa());
/// sum[i] += x[i] w mod q.
void scale_and_add(const u64* x, const Modulus& q, const ShoupFactor& w, i64 n, u64* sum,
                   Isa isa = active_isa());

/// A polynomial of degree 1 whose coefficients are rows: x[0] + x[1] S.
struct RowPair {
  const u64 *first, *second;
};
/// The product of two of them: out0 = x0 y0, out1 = x0 y1 + x1 y0, out2 = x1 y1, all modulo q and
/// position by position. No output is an input.
void multiply_pairs(const RowPair& x, const RowPair& y, const Modulus& q, i64 n, u64* out0,
                    u64* out1, u64* out2, Isa isa = active_isa());
/// out[i] = x[i] mod q, canonical; x[i] integers of magnitude below 2^100.
void reduce_integers(const double* x, const Modulus& q, i64 n, u64* out, Isa isa = active_isa());

/// y[i] = x[i] w mod f as an integer, fraction[i] += y[i] * (1 / f). x modulo f.
void scale_and_count(const u64* x, const Modulus& f, const ShoupFactor& w, i64 n, double* y,
                     double* fraction, Isa isa = active_isa());
/// out[i] = sum_k y[k * stride + i] factors[k] + floor(fraction[i]) factors[rows] mod t.
/// y         rows of integers in [0, 2^48), rows <= 16
/// fraction  in [0, 17)
/// factors   rows + 1 residues modulo t
void combine_rows(const double* y, i64 stride, int rows, const double* fraction, const u64* factors,
                  const Modulus& t, i64 n, u64* out, Isa isa = active_isa());

/// out[i] = x[i] w mod q.
void scale(const u64* x, const Modulus& q, const ShoupFactor& w, i64 n, u64* out,
           Isa isa = active_isa());
/// out[i] = (x[i] - y[i]) w mod q.
void subtract_and_scale(const u64* x, const u64* y, const Modulus& q, const ShoupFactor& w, i64 n,
                        u64* out, Isa isa = active_isa());
/// even[i] = (x[i] + x[2n-1-i]) / 2, odd[i] = (x[i] - x[2n-1-i]) w, all modulo q and i < n: what
/// two polynomials that do not change under X -> 1/X were before they became one
/// (ckks/encode_pairs.cpp). odd may be nullptr; no output is x.
void split_mirrored(const u64* x, const Modulus& q, const ShoupFactor& w, i64 n, u64* even,
                    u64* odd, Isa isa = active_isa());
/// out[i] = the centred representative of x[i] modulo `divisor`, modulo q.
void reduce_centred(const u64* x, const Modulus& divisor, const Modulus& q, i64 n, u64* out,
                    Isa isa = active_isa());

}  // namespace sinter::ring
