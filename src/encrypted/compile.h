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
#include "encrypted/choose_babies.h"
#include "encrypted/explain.h"
#include "encrypted/layer_values.h"
#include "encrypted/program.h"
#include "encrypted/unit_costs.h"
#include "graph/graph.h"

namespace sinter::encrypted {

/// The scheme, before the number of levels is known.
struct SchemeOptions {
  i64 log_n = 15;
  int log_q0 = 48;     ///< bits of the prime that stays to the end
  int log_scale = 40;  ///< bits of the scale and of every prime that a level drops
  /// Explicit chain, q_0 first; empty: as many levels as are needed. The primes of bootstraps come
  /// on top.
  std::vector<int> log_q;
  std::vector<int> log_p = {48, 48, 48, 48};
  ckks::SecretKind secret = ckks::SecretKind::ternary;
  int hamming_weight = 192;
  ckks::Security security = ckks::Security::bits128;
};

/// What shares ciphertexts.
struct PackingOptions {
  /// Parallel branches of equal structure share ciphertexts, rotations and products; otherwise
  /// every branch has its own, from an input of its own on, and they run one after the other.
  bool join_branches = true;
  /// Images of one run, a power of two; 0: as many as the slots hold.
  i64 batch = 1;
};

/// Keys of the scheme that the compiler chooses; the others stay as they are. Where only log_q0 or
/// secret are open there is nothing to choose: they take their defaults.
struct OpenKeys {
  bool log_n = false, log_scale = false, log_q0 = false, log_p = false, secret = false;
  bool any() const { return log_n || log_scale || log_p; }
};

/// Whether a program bootstraps: only when its depth does not fit the chain (automatic), or with a
/// preset of ckks/bootstrap.h.
enum class BootstrapChoice { none, automatic, fast, precise };

struct CompileOptions {
  SchemeOptions scheme;
  PackingOptions packing;
  OpenKeys open;
  i64 memory_budget = 0;   ///< bytes that `infer` may take, for the choice; 0 = any
  double least_bits = 14;  ///< of the result: errors of 1e-3 of its range are 16 deviations
  bool lists_all = false;  ///< fill Explanation::candidates even when no key is open
  UnitTable units = built_in_units();  ///< the speed of the machine that will run the program
  double margin = 2;  ///< ranges seen in calibration are widened by this factor, >= 1
  BootstrapChoice bootstrap = BootstrapChoice::automatic;
  KeyChoice keys;               ///< how much time fewer rotation keys may cost
  bool pay_for_affine = false;  ///< accept a BatchNormalization that costs a level of its own
  std::map<std::string, std::string> metadata;  ///< copied into the program
};

struct Compiled {
  std::shared_ptr<const EncryptedProgram> program;
  Explanation explanation;
  /// What every layer holds in the network, for debugging on the client's side. Not part of the
  /// program: compiling the same model again gives the same program (equal hashes) and this.
  std::shared_ptr<const LayerReference> reference;
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
