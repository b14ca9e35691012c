// SPDX-License-Identifier: Apache-2.0
// What the two sides of folding into linear operators share: reading the operands of a Conv,
// ConvTranspose, Gemm or MatMul and scaling a constant along one of its axes.
#pragma once
#include "passes/detail/fold.h"

namespace sinter::passes {

inline ValueId bias_of(const Node& n) { return n.inputs.size() > 2 ? n.inputs[2] : ValueId{}; }
inline bool is_convolution(Op op) { return op == Op::Conv || op == Op::ConvTranspose; }
inline bool is_matrix_product(Op op) { return op == Op::Gemm || op == Op::MatMul; }
inline bool is_linear(Op op) { return is_convolution(op) || is_matrix_product(op); }

/// The axis of a Gemm or MatMul operand of `rank` over which the product sums.
i64 summed_axis(const Node& product, i64 operand, i64 rank);

/// values[i] *= factor(index of i along `axis`).
void scale_axis(std::vector<double>& values, const Dims& dims, i64 axis,
                const std::function<double(i64)>& factor);

/// Puts the rounded `values` into `change` as input `index`, or says why not.
std::string put(Change& change, i64 index, DType type, Dims dims, std::span<const double> values,
                std::span<const double> old);

/// Gemm: C' = map(beta*C) over [M,N], C = 0 when absent, beta' = 1; nothing when that is the same.
/// A MatMul becomes a Gemm with that C'. C must be absent or constant.
std::string put_product_bias(const Graph& graph, const Node& product, const AffineMap& map,
                             DType type, Change& change);

}  // namespace sinter::passes
