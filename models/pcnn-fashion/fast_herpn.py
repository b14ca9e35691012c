# SPDX-License-Identifier: Apache-2.0
"""HerPN for training: the same function of the batch as network.HerPN in train mode, one autograd node.

With the batch's moments m = mean x, q = mean x^2, r = mean x^4, v1 = q - m^2, v2 = (r - q^2) / 2 and
s1 = 1 / (2 sqrt(v1 + eps)), s2 = 1 / sqrt(8 pi (v2 + eps)), the unfused train-mode forward is

    y = gamma * (s2 (x^2 - q) + s1 (x - m)) + beta           (BN0 of a constant is exactly 0)

and its gradient is dy (2 w2 x + w1) plus a cubic in x whose coefficients are per-channel sums; w = gamma s.
Running statistics are not kept: they are gathered afterwards, in train mode, on
the unfused network. Parameter names equal those of network.HerPN.

A tensor [N,C,H,W] is stored with channels last and seen as [N, H*W*C]; a per-channel coefficient is
repeated H*W times, which keeps the inner loops long although C is 8 or 16.
"""

import math

import torch
from torch import nn

EPS = 1e-5


def rows(x):
    """The channels-last memory of x as [N, H*W*C], no copy."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1)


def per_channel_sum(flat, channels):
    return flat.sum(0).view(-1, channels).sum(0)


class HerPNFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, gamma, beta):
        x = x.contiguous(memory_format=torch.channels_last)
        n, c, h, w = x.shape
        count = n * h * w
        flat = rows(x)
        square = flat * flat
        m = per_channel_sum(flat, c) / count
        q = per_channel_sum(square, c) / count
        r = per_channel_sum(square * square, c) / count
        s1 = 0.5 * (q - m * m + EPS).rsqrt()
        s2 = ((r - q * q) * (4 * math.pi) + 8 * math.pi * EPS).rsqrt()
        w1, w2 = gamma * s1, gamma * s2
        w0 = beta - w1 * m - w2 * q
        spread = lambda v: v.repeat(h * w)
        y = torch.addcmul(spread(w0), torch.addcmul(spread(w1), flat, spread(w2)), flat)
        ctx.save_for_backward(x, m, q, s1, s2, gamma)
        return y.view(n, h, w, c).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx, grad):
        x, m, q, s1, s2, gamma = ctx.saved_tensors
        n, c, h, w = x.shape
        count = n * h * w
        flat = rows(x)
        dy = rows(grad.contiguous(memory_format=torch.channels_last))
        dyx = dy * flat
        sum0 = per_channel_sum(dy, c)
        raw1 = per_channel_sum(dyx, c)
        raw2 = per_channel_sum(dyx * flat, c)
        sum1 = raw1 - m * sum0
        sum2 = raw2 - q * sum0
        w1, w2 = gamma * s1, gamma * s2
        # d s / d v = -s / (2 (v + eps)), with v + eps read back from s.
        dv1 = -0.5 * sum1 * w1 * (4 * s1 * s1)
        dv2 = -0.5 * sum2 * w2 * (8 * math.pi * s2 * s2)
        k0 = (-w1 * sum0 - 2 * dv1 * m) / count
        k1 = (-2 * w2 * sum0 + 2 * dv1 - 2 * dv2 * q) / count
        k3 = 2 * dv2 / count
        spread = lambda v: v.repeat(h * w)
        cubic = torch.addcmul(spread(k1), flat * flat, spread(k3)).mul_(flat).add_(spread(k0))
        dx = cubic.addcmul_(dyx, spread(2 * w2)).addcmul_(dy, spread(w1))
        return (dx.view(n, h, w, c).permute(0, 3, 1, 2), sum1 * s1 + sum2 * s2, sum0)


class FastHerPN(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels, 1, 1))
        self.beta = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x):
        return HerPNFunction.apply(x, self.gamma.flatten(), self.beta.flatten())
