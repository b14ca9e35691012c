// SPDX-License-Identifier: Apache-2.0
// The rewrites. Each is one file and one function that edits a graph in place and says what it did:
// how many matches it rewrote and, for those it left alone, where and why.
//
// Every pass keeps the interface (names, order, number and types of inputs and outputs), never
// writes into an existing constant, refuses results that are not finite or subnormal, and leaves a
// graph on which running it again changes nothing. Constants are folded in double and rounded once
// (f16 and bf16 too). Shapes may be symbolic: a rewrite that needs two dimensions equal asks their
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

/// What an optimized graph is for. A profile turns passes on and off (pipeline.h).
enum class Profile {
  standard,  ///< standard operators of the model's own opset
  modern,    ///< standard operators up to opset 20
  ort,       ///< keeps the patterns that ONNX Runtime fuses itself
  int8,      ///< keeps QuantizeLinear and DequantizeLinear where they are
  fhe,       ///< everything affine into linear layers; operators of domain sinter
};

/// What a rewrite may assume and spend.
struct PassOptions {
  Profile profile = Profile::standard;
  i64 max_opset =
      0;  ///< no rewrite may need a newer one; 0: the model's own, in modern at least 20
  bool strict_zero = false;     ///< x + 0 keeps the sign of zero
  bool assume_nonempty = true;  ///< symbolic dimensions are at least 1
  bool approx_ties = false;     ///< ArgMax may pick another of equal elements
  i64 unroll = 0;               ///< trips of a Loop that may be written out one by one
  i64 fold_budget = 64 * 1024;  ///< bytes that a folded constant may have beyond those that die
  double max_growth = 0.01;     ///< of the constant bytes, plus 1 MiB, for all rewrites together
};

struct PassStats {
  i64 changed = 0;
  std::vector<Skip> skipped;
};

// -- cleaning -----------------------------------------------------------------------------------
/// Nodes from which no output can be reached.
PassStats eliminate_dead_nodes(Graph&, const PassOptions&);
/// Nodes whose result is one of their inputs: Identity, Dropout, x*1, Reshape to the same shape,
/// ...
PassStats eliminate_identity_ops(Graph&, const PassOptions&);
/// One way of writing what can be written in several: constants to the right, axes from the front,
/// no attributes at their defaults.
PassStats canonicalize(Graph&, const PassOptions&);
/// auto_pad of Conv, MaxPool and AveragePool becomes pads.
PassStats explicit_auto_pad(Graph&, const PassOptions&);
/// Cast of Cast, where the first one loses nothing: one, or none.
PassStats merge_casts(Graph&, const PassOptions&);
/// Relu and Clip in a row become one.
PassStats merge_clips(Graph&, const PassOptions&);
/// Empty parts of a Concat, neutral operands of Max, Min and Sum.
PassStats trim_variadic_operands(Graph&, const PassOptions&);
/// ArgMax and ArgMin read through increasing functions (PassOptions::approx_ties).
PassStats argmax_before_monotone(Graph&, const PassOptions&);
/// Nodes that compute the same from the same become one.
PassStats eliminate_common_subexpressions(Graph&, const PassOptions&);
/// Constants that nothing reads.
PassStats eliminate_unused_initializers(Graph&, const PassOptions&);
/// Constants equal in type, dims and bytes become one.
PassStats eliminate_duplicate_constants(Graph&, const PassOptions&);

// -- constants and shapes -----------------------------------------------------------------------
/// Nodes whose inputs are all constants, when the result is small or replaces as many bytes.
PassStats fold_constants(Graph&, const PassOptions&);
/// Integer tensors whose content inference knows become constants; Reshape and Expand targets made
/// from Shape become constants with 0, -1 and 1.
PassStats simplify_shape_chains(Graph&, const PassOptions&);
/// Vectors of sizes of graph inputs and numbers come straight from Shape of the inputs.
PassStats rebuild_shape_values(Graph&, const PassOptions&);
/// Reshape, Flatten, Squeeze, Unsqueeze and Transpose in a row, element-wise nodes between them,
/// become as few as their effect needs.
PassStats merge_layout_chains(Graph&, const PassOptions&);
/// Transposes move through nodes that do not mind where fewer of them are left.
PassStats place_transposes(Graph&, const PassOptions&);
/// Cast and its reverse, DequantizeLinear and QuantizeLinear, around nodes that only place
/// elements; Relu and Clip that a QuantizeLinear does anyway.
PassStats eliminate_sandwiches(Graph&, const PassOptions&);
/// Concat of Concat, Split and Concat that undo each other, Slice and Gather of a Concat, several
/// Slices that are one Split.
PassStats merge_concats(Graph&, const PassOptions&);
/// Slice of Slice; Slice or Gather of one index and the node that drops or adds its dimension.
PassStats merge_slices(Graph&, const PassOptions&);
/// Expand and Tile before nodes that broadcast anyway.
PassStats eliminate_expands(Graph&, const PassOptions&);
/// Reduce and the Unsqueeze or Squeeze behind it become one Reduce.
PassStats fuse_reduce_reshape(Graph&, const PassOptions&);

// -- control flow -------------------------------------------------------------------------------
/// An If whose condition is known becomes the branch that is taken.
PassStats inline_constant_if(Graph&, const PassOptions&);
/// A Loop of no or one trip (of up to PassOptions::unroll trips) becomes its body.
PassStats simplify_loops(Graph&, const PassOptions&);
/// Nodes of a Loop or Scan body that compute the same in every trip move out.
PassStats hoist_loop_invariants(Graph&, const PassOptions&);
/// Results of If and scan outputs of Loop and Scan that nothing reads.
PassStats trim_branch_outputs(Graph&, const PassOptions&);

// -- fusion -------------------------------------------------------------------------------------
/// Clip(x + 3, 0, 6) / 6 and x times that become HardSigmoid and HardSwish.
PassStats fuse_hard_swish(Graph&, const PassOptions&);
/// Normalization over the last dimensions becomes LayerNormalization or RMSNormalization.
PassStats fuse_layer_norm(Graph&, const PassOptions&);
/// Softmax, LogSoftmax and reductions (L1, L2, LogSumExp, ...) that are spelled out.
PassStats fuse_softmax(Graph&, const PassOptions&);
/// x times a smooth gate becomes Gelu, Mish or Swish.
PassStats fuse_gelu(Graph&, const PassOptions&);
/// Softplus, LeakyRelu, PRelu and Clip that are spelled out.
PassStats fuse_activations(Graph&, const PassOptions&);
/// Per-channel polynomials of degree two (the three-BatchNorm Hermite activation) become one
/// ChannelQuadratic.
PassStats fuse_herpn(Graph&, const PassOptions&);
/// Pad with zeros into the pads of the Conv that reads it.
PassStats fuse_pad_into_conv(Graph&, const PassOptions&);
/// Padding into the AveragePool or MaxPool that reads it.
PassStats fuse_pad_into_pool(Graph&, const PassOptions&);
/// Pad of Pad becomes one; a Slice that undoes a Pad goes with it.
PassStats merge_pads(Graph&, const PassOptions&);
/// BatchNormalization into the Conv or ConvTranspose that feeds it.
PassStats fuse_conv_batchnorm(Graph&, const PassOptions&);
/// BatchNormalization into the Gemm or 2-D MatMul that feeds it.
PassStats fuse_batchnorm_into_gemm(Graph&, const PassOptions&);
/// BatchNormalization into the Conv, Gemm or MatMul nodes that read it.
PassStats fuse_batchnorm_forward(Graph&, const PassOptions&);
/// 2-D MatMul followed by Add becomes Gemm.
PassStats fuse_matmul_add(Graph&, const PassOptions&);
/// An addition into the bias of the Gemm before it.
PassStats fuse_gemm_add(Graph&, const PassOptions&);
/// A transposed matrix into the flags of the product before or after it.
PassStats fuse_transpose_into_gemm(Graph&, const PassOptions&);
/// Products of one tensor with several constant matrices become one product and a Split.
PassStats pack_matmuls(Graph&, const PassOptions&);
/// Two linear nodes in a row become one when the weights do not grow.
PassStats merge_linear(Graph&, const PassOptions&);
/// Linear nodes whose weight is the identity.
PassStats eliminate_identity_weights(Graph&, const PassOptions&);
/// Mul, Add, Sub, Div, Neg by constants along one axis into the node before or after them.
PassStats fuse_affine_chain(Graph&, const PassOptions&);
/// The same through nodes that commute with them, when constants at the end take them.
PassStats move_affine(Graph&, const PassOptions&);
/// What is left of a product and a sum per channel becomes one BatchNormalization.
PassStats affine_to_batchnorm(Graph&, const PassOptions&);
/// What is left of BatchNormalization becomes ChannelAffine.
PassStats batchnorm_to_affine(Graph&, const PassOptions&);

}  // namespace sinter
