// SPDX-License-Identifier: Apache-2.0
// The encrypted compiler: a float32 graph and a few of its inputs become an EncryptedProgram.
//
//   fuse (passes) -> stages (linear maps and products) -> merge -> pack branches together
//     -> calibrate ranges -> layouts -> levels and scales -> diagonals -> instructions -> check
//
// The graph is fused here, so an unfused one cannot be planned by accident.
#pragma once
#include <map>
#include <memory>
#include <span>
#include <string>

#include "base/progress.h"
#include "ckks/params.h"
#include "encrypted/explain.h"
#include "encrypted/program.h"
#include "graph/graph.h"

namespace sinter::encrypted {

/// The scheme, before the number of levels is known.
struct SchemeOptions {
  i64 log_n = 15;
  int log_q0 = 48;         ///< bits of the prime that stays to the end
  int log_scale = 40;      ///< bits of the scale and of every prime that a level drops
  std::vector<int> log_q;  ///< explicit chain, q_0 first; empty: as many levels as are needed
  std::vector<int> log_p = {48, 48, 48, 48};
  ckks::SecretKind secret = ckks::SecretKind::ternary;
  int hamming_weight = 192;
  ckks::Security security = ckks::Security::bits128;
};

struct CompileOptions {
  SchemeOptions scheme;
  double margin = 2;            ///< ranges seen in calibration are widened by this factor, >= 1
  bool pay_for_affine = false;  ///< accept a BatchNormalization that costs a level of its own
  std::map<std::string, std::string> metadata;  ///< copied into the program
};

struct Compiled {
  std::shared_ptr<const EncryptedProgram> program;
  Explanation explanation;
};

/// Compiles `model` for encrypted inference.
///
/// model        one float32 input and one float32 output; a symbolic batch dimension becomes 1
/// calibration  one or more tensors of the input's shape with any leading batch count, float32;
///              ranges are measured on them
/// out          a program that passed check(), and the rows of --explain
/// cost         seconds: sparse matrix products, one simulated run per calibration image
/// throws  Error(unsupported) naming the node that has no encrypted form and what would work, or
///         the tensor that does not fit the slots and the log_n that would hold it;
///         Error(out_of_levels) naming the first layer without a level, how many are short, and
///         what would help; Error(bad_argument) for insecure or malformed parameters, for a value
///         that does not fit under the modulus, and for a BatchNormalization left over;
///         Error(bad_input) for NaN or infinity in the calibration data, naming image and element
/// thread  safe
Compiled compile(const Graph& model, std::span<const Tensor> calibration,
                 const CompileOptions& options, const Progress& progress = {});

/// The level table alone, also of a graph that is not fused (`fuse` false) or of parameters that
/// are too small: what cannot be built comes back with feasible == false and the reason. Fused
/// plans are costed; unfused ones are counted in levels: every BatchNormalization and every
/// multiplication by a constant is then a step of its own.
/// throws  as compile(), except out_of_levels and bad_argument for parameters
Explanation explain_only(const Graph& model, std::span<const Tensor> calibration,
                         const CompileOptions& options, bool fuse, const Progress& progress = {});

}  // namespace sinter::encrypted
