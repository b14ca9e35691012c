# SPDX-License-Identifier: Apache-2.0
"""What happens between the last weight update and the export: running statistics and channel scales.

Statistics. Every BatchNorm is set to a cumulative average and training images go through once in
train mode, without weight updates. (In eval mode a forward pass changes no statistic at all.) This runs
in double: the mean of BN0's constant input then comes out as exactly 1 and its variance as exactly 0,
so (1 - m0) / sqrt(v0 + eps) is exactly 0 after rounding to float32. A float32 average that ended at
1 - 2^-24 would instead be multiplied by 1 / sqrt(1e-5) = 316 and cancel badly.

Channel scales. HerPN does not change when a channel of its input is multiplied by t > 0 (up to eps), and
a positive factor on its output can be moved into the convolutions that read it. So each channel can be
brought to v2 = 1 (v2 = running variance of BN2) and, where nothing but convolutions or a BatchNorm
reads the result, to |gamma| = 1, without changing the network. That makes w2 = gamma / sqrt(8 pi (v2 + eps))
about 0.2, and keeps the monic form x^2 + (w1/w2) x + w0/w2 small. One factor is not free: behind the first
HerPN of block 1 the identity shortcut ties gamma to the scale of the block's output.
"""

import torch
from torch import nn

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def gather(model, inputs, batch):
    """Replaces every running statistic of `model` (double) by its average over `inputs`, in train mode."""
    norms = [module for module in model.modules() if isinstance(module, NORMS)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    model.train()
    with torch.no_grad():
        for chunk in inputs.split(batch):
            model(chunk)
    model.eval()
    for norm in norms:
        norm.momentum = 0.1


def input_scale(herpn):
    """The factor per channel that brings v2 to 1."""
    return herpn.bn2.running_var ** -0.25


def take_gamma(herpn):
    """Sets |gamma| = 1 and returns the factor that the readers must absorb."""
    factor = herpn.gamma.abs()
    if factor.min() < 1e-3:
        raise ValueError(f"channel scales: expected |gamma| >= 1e-3, found {factor.min():.2e}")
    herpn.gamma /= factor
    herpn.beta /= factor
    return factor.flatten()


def scale_outputs(conv, factor):
    conv.weight *= factor.view(-1, 1, 1, 1)


def scale_inputs(conv, factor):
    conv.weight *= factor.view(1, -1, 1, 1)


@torch.no_grad()
def normalise_channels(model):
    """Moves channel scales as described above. Statistics must be gathered before and again after."""
    for backbone in model.backbones:
        first, second, pool = backbone.block1, backbone.block2, backbone.pool.herpn

        scale_outputs(backbone.stem, input_scale(first.herpn1))
        scale_outputs(first.conv1, input_scale(first.herpn2))
        scale_inputs(first.conv2, take_gamma(first.herpn2))

        joined = input_scale(second.herpn1)
        scale_outputs(first.conv2, joined)
        first.herpn1.gamma *= joined.view(-1, 1, 1)
        first.herpn1.beta *= joined.view(-1, 1, 1)
        scale_inputs(first.conv1, 1 / joined)

        factor = take_gamma(second.herpn1)
        scale_inputs(second.conv1, factor)
        scale_inputs(second.shortcut[0], factor)
        scale_outputs(second.conv1, input_scale(second.herpn2))
        scale_inputs(second.conv2, take_gamma(second.herpn2))

        joined = input_scale(pool)
        scale_outputs(second.conv2, joined)
        second.shortcut[1].weight *= joined
        second.shortcut[1].bias *= joined
        take_gamma(pool)  # read by the average pool and BatchNorm1d only, which divides it out
