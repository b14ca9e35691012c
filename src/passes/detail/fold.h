// SPDX-License-Identifier: Apache-2.0
// Folding a per-channel affine map y = s*x + t into linear nodes: into the one that produces x
// (back) or into all that read y (forward). fuse_conv_batchnorm, fuse_batchnorm_into_gemm,
// fuse_batchnorm_forward and fuse_affine_chain differ only in which nodes they offer.
//
//   back      Conv           W'[m,...]   = s[m] W[m,...]               b'[m] = s[m] b[m] + t[m]
//             ConvTranspose  W'[i,m,...] = s[j(i) M/g + m] W[i,m,...]  the same, j(i) = group of i
//             Gemm           B'[:,n] = s[n] B[:,n]   C' = s (beta C) + t, beta' = 1, alpha kept
//             MatMul 2-D     becomes a Gemm with B' and C' = t
//   forward   Conv           W'[o,i,...] = W[o,i,...] s[i]   b'[o] = b[o] + sum W[o,i,k] t[i]
//             ConvTranspose  W'[i,...]   = s[i] W[i,...]             t = 0 only
//             Gemm, MatMul   B'[k,:] = s[k] B[k,:]   C' = beta C + alpha sum_k t[k] B[k,:]
//             also through Flatten or Reshape to rank 2: s and t repeat over the positions
//
// Everything is computed in double and rounded once. Forward, t may only be nonzero where nothing
// pads (a padding zero would have to become t).
#pragma once
#include "passes/detail/channel.h"

namespace sinter::passes {

/// Folds `node`, which is the affine map `f`, into the producer of f.x and removes it.
/// `producers` are the operators that may take it. Returns "" when done, else why not; the graph is
/// then unchanged. nullopt when the producer is none of `producers`.
std::optional<std::string> fold_back(Graph& graph, NodeId node, const Affine& f,
                                     std::span<const Op> producers);

/// Folds `node` into all nodes that read it and removes it. Returns "" when done, else why not; the
/// graph is then unchanged.
std::string fold_forward(Graph& graph, NodeId node, const Affine& f);

}  // namespace sinter::passes
