// SPDX-License-Identifier: Apache-2.0
// The rewrites. Each is one file and one function that edits a graph in place and says what it did:
// how many matches it rewrote and, for those it left alone, where and why.
//
// Every pass keeps the interface (names, order, number and types of inputs and outputs), never
// writes into an existing constant, refuses results that are not finite or subnormal, and leaves a
// graph on which running it again changes nothing. Passes know f32 and f64; f16 and bf16 are left
// alone. Shapes may be symbolic: a rewrite that needs two dimensions to be equal asks their
// canonical expressions, never their printed names.
//
// Preconditions of all: graph::verify holds. Afterwards types downstream of an edit may be stale:
// run_pass (pipeline.h) infers and verifies.
// thread: one at a time on a graph.
#pragma once
#include <string>
#include <vector>

#include "graph/graph.h"

namespace sinter {

/// One match that a pass left alone.
struct Skip {
  std::string where;   ///< Graph::describe of the node
  std::string reason;  ///< "the Conv result has 2 readers"
};

struct PassStats {
  i64 changed = 0;
  std::vector<Skip> skipped;
};

// -- cleaning -----------------------------------------------------------------------------------
/// Nodes from which no output can be reached.
PassStats eliminate_dead_nodes(Graph&);
/// Nodes whose result is one of their inputs: Identity, Dropout, x*1, Reshape to the same shape,
/// ...
PassStats eliminate_identity_ops(Graph&);
/// Constants that nothing reads.
PassStats eliminate_unused_initializers(Graph&);
/// Constants equal in type, dims and bytes become one.
PassStats eliminate_duplicate_constants(Graph&);
/// Transpose of Transpose: one, or none.
PassStats eliminate_redundant_transposes(Graph&);

// -- constants and shapes -----------------------------------------------------------------------
/// Nodes whose inputs are all constants, when the result is small or replaces as many bytes.
PassStats fold_constants(Graph&);
/// Integer tensors whose content inference knows become constants; Reshape and Expand targets made
/// from Shape become constants with 0, -1 and 1.
PassStats simplify_shape_chains(Graph&);
/// Reshape, Flatten, Squeeze, Unsqueeze in a row become one Reshape.
PassStats merge_reshapes(Graph&);

// -- fusion -------------------------------------------------------------------------------------
/// Per-channel polynomials of degree two (the three-BatchNorm Hermite activation) become one
/// ChannelQuadratic.
PassStats fuse_herpn(Graph&);
/// Pad with zeros into the pads of the Conv that reads it.
PassStats fuse_pad_into_conv(Graph&);
/// BatchNormalization into the Conv or ConvTranspose that feeds it.
PassStats fuse_conv_batchnorm(Graph&);
/// BatchNormalization into the Gemm or 2-D MatMul that feeds it.
PassStats fuse_batchnorm_into_gemm(Graph&);
/// BatchNormalization into the Conv, Gemm or MatMul nodes that read it.
PassStats fuse_batchnorm_forward(Graph&);
/// 2-D MatMul followed by Add becomes Gemm.
PassStats fuse_matmul_add(Graph&);
/// Mul, Add, Sub, Div, Neg by channel constants: into the linear node before or after them, or
/// several into one ChannelAffine.
PassStats fuse_affine_chain(Graph&);
/// What is left of BatchNormalization becomes ChannelAffine.
PassStats batchnorm_to_affine(Graph&);

}  // namespace sinter
