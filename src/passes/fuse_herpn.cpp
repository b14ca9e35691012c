// SPDX-License-Identifier: Apache-2.0
// Recognises the Hermite activation of three BatchNormalizations (HerPN) and makes it one node.
//
//   before   x0 = BN0(ones)   x1 = BN1(x)   x2 = BN2((x^2 - 1) / sqrt 2)        BN without affine
//            y  = gamma * (f0 x0 + f1 x1 + f2 x2) + beta
//            f0 = 1/sqrt(2 pi), f1 = 1/2, f2 = 1/sqrt(4 pi): the Hermite coefficients of ReLU
//   after    y  = ChannelQuadratic(x, w2, w1, w0)  =  (w2 x + w1) x + w0
//
//   w2 = gamma / sqrt(8 pi (v2 + eps))
//   w1 = gamma / (2 sqrt(v1 + eps))
//   w0 = beta + gamma * ((1 - m0) / sqrt(2 pi (v0 + eps)) - m1 / (2 sqrt(v1 + eps))
//                        - (1 + sqrt 2 m2) / sqrt(8 pi (v2 + eps)))
//
// Exporters order the operands as they like, keep ones as a constant or as
// ConstantOfShape(Shape(x)), and write x^2 as Pow or Mul. So no pattern is matched:
// detail/polynomial.h interprets a value backwards as a per-channel polynomial in one base value,
// and the largest one of degree two that contains a product becomes ChannelQuadratic, whatever it
// was written like. The formula above is what then comes out. A leading coefficient of zero in
// every channel gives ChannelAffine.
//
// Only in the profile fhe: ChannelQuadratic is an operator of our own.
//
// Left alone (counted as skipped): a value inside is read outside or is a graph output, a
// coefficient is not finite; no match at all: an operand is not constant per channel or
// would enlarge x, BatchNormalization in training mode. Must run before the passes that fold a
// BatchNormalization. Coefficients in double, rounded once (E1).
//
// Source: AESPA, Park et al. 2022, Hermite polynomial activation with basis-wise normalisation.

#include "passes/detail/fuse_polynomials.h"

namespace sinter {

PassStats fuse_herpn(Graph& graph, const PassOptions& options) {
  if (options.profile != Profile::fhe) return {};
  return passes::fuse_polynomials(graph, true);
}

}  // namespace sinter
