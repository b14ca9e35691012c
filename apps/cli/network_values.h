// SPDX-License-Identifier: Apache-2.0
// What the layers of a compiled program hold in the network that it was made from.
#pragma once
#include <vector>

#include "encrypted/layer_values.h"

namespace sinter::cli {

/// The stages are made again from the model, as compile makes them, and matched with the program's
/// layers: packed or separate, alone or in a batch, whichever fits. A bootstrap has the value of
/// the layer in front of it. Empty for a program whose stages cannot be made from the model alone.
/// model   the network that the program was compiled from
/// cost    of a compilation without its diagonals; two evaluations of the network in float64
std::vector<encrypted::LayerValues> network_values(const Graph& model,
                                                   const encrypted::EncryptedProgram& program,
                                                   const Tensor& image);

}  // namespace sinter::cli
