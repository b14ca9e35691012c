// SPDX-License-Identifier: Apache-2.0
// At what size values are held (hold.h), channel by channel. The scheme's errors have one size in
// all slots, so a small channel beside a large one loses bits, and the rounding of a reader's
// diagonals is multiplied by the largest values that it reads. With t = 4^e for every channel, the
// variance of the result is, to first order, a sum of products of powers of t:
//
//   sum over channels c of every stage k of   gain_c t_c (own_k + n_k sum_d square_d / t_d)
//
// gain_c    squares of d result / d element, summed over the channel's elements, of v as it was
// own_k     of the rescale and key switches, n_k entries a row of encoding errors, which meet
// square_d  the mean square that the channel d of an operand gives to all of its value
//
// which is convex in the exponents (a geometric program). The gains come from a few random
// projections of the result, carried back through the stages.
//
// Source: S. Boyd et al., "A tutorial on geometric programming", 2007; stochastic diagonal
// estimation as in Hutchinson 1989.
#pragma once
#include <span>
#include <vector>

#include "encrypted/stage.h"

namespace sinter::encrypted {

/// Largest |value| of every channel (member * channels + channel) of every stage.
using ChannelRanges = std::vector<std::vector<double>>;

struct BalanceOptions {
  double secret_weight = 1;  ///< expected number of nonzero coefficients of the secret
  double least_bits = 0.5;   ///< a smaller gain leaves the graph as it is
};

/// Chooses exponents and holds the values so; levels and the function stay as they are.
///
/// ranges   in: of the stages; out: of the values as they are held
/// inputs   some of the network's inputs, at least one
/// out      bits that the result gains by this estimate; 0 when nothing was changed
/// cost     per input one evaluation of the stages and four backwards; 100 sweeps over the channels
double balance(StageGraph& graph, ChannelRanges& ranges,
               std::span<const std::vector<double>> inputs, const BalanceOptions& options);

}  // namespace sinter::encrypted
