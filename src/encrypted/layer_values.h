// SPDX-License-Identifier: Apache-2.0
// The layers of a program against the network as its maker gave it. Every stage knows what its
// elements are in the fused graph (origin.h). Which value of the network a value of the fused graph
// is, names cannot tell (a Gemm that took in a BatchNormalization keeps its own): both graphs run
// on one image in float64, and values that agree are one. compile() proves the stages so; `sinter
// debug` holds decrypted layers against the network.
#pragma once
#include <map>

#include "encrypted/layout.h"
#include "encrypted/program.h"
#include "encrypted/stage.h"
#include "graph/graph.h"

namespace sinter::encrypted {

/// What one layer of a program holds in the float64 network.
struct LayerValues {
  i64 layer = 0;      ///< row of EncryptedProgram::layers
  std::string value;  ///< name of the graph's value; the first one's of packed branches
  /// Element i of the first image of a batch (image b: slot[i] + b) is in slot slot[i] of the
  /// layer's last instruction (and in all its copies, one period of that instruction apart).
  std::vector<i32> slot;
  std::vector<double> expected;
};

/// Immutable. thread: safe to share
class LayerReference {
 public:
  /// network  batch 1, not fused; copied
  /// stages   merged and packed, with layouts, as the program was assembled from
  LayerReference(const Graph& network, const StageGraph& stages, const std::vector<Layout>& layouts,
                 const EncryptedProgram& program);

  /// One entry for each layer whose elements are known, in the program's order (layers that only
  /// refresh a value have none). Slots are of the ciphertext's values as the program defines them.
  /// image   of the network's input shape, any float type
  /// cost    one evaluation of the network by the reference loops, in float64
  /// throws  Error(bad_argument) when the image does not fit
  std::vector<LayerValues> expected(const Tensor& image) const;

 private:
  Graph network_;  ///< its outputs are the values that layers stand for
  struct Layer {
    i64 layer;
    Origins origin;
    std::vector<i32> slot;
  };
  std::vector<Layer> layers_;
};

/// layer[k]: the row of the program's layers that stage k is. Layers are the stages, inputs first,
/// with others (bootstraps) between.
std::vector<i64> layers_of(const StageGraph& stages, const EncryptedProgram& program);

/// How far a stage is from the network.
struct LayerDifference {
  std::string value;      ///< name in the network, the first one's of packed branches; empty: none
  double difference = 0;  ///< largest, relative to the largest |value| of the network's layer
};

/// Proves the stages on one image, everything in float64, and replaces the values that their
/// origins name by the network's; the name of a value that the network does not have (a sum whose
/// factor was moved on) is cleared.
///
/// found   of evaluate_stages for `image`
/// out     one entry for each stage
/// throws  Error(internal) naming the layer when a stage is not what the fused graph has there, or
///         when the result is not the network's, naming the first layer without a counterpart
std::vector<LayerDifference> prove_layers(StageGraph& stages,
                                          const std::vector<std::vector<double>>& found,
                                          const Graph& network, const Graph& fused,
                                          const Tensor& image);

}  // namespace sinter::encrypted
