# SPDX-License-Identifier: Apache-2.0
"""PatchCNN with HerPN activations, unfused, exactly as it is exported.

An image 1x32x32 is cut into 2x2 patches of 16x16, row by row. Each patch has a backbone with its own
weights; the four results are added:

    stem     conv 1->8, 3x3
    block 1  HerPNConv 8->8,  identity shortcut
    block 2  HerPNConv 8->16, stride 2, shortcut = 1x1 conv stride 2 + BatchNorm
    pool     HerPN, average pool 8x8 -> 2x2
    head     flatten, BatchNorm1d(64), Linear 64->10

HerPN is the ReLU's Hermite expansion of degree two with one BatchNorm per basis polynomial:

    x0 = BN0(1)   x1 = BN1(x)   x2 = BN2((x^2 - 1) / sqrt 2)
    y  = gamma * (x0 / sqrt(2 pi) + x1 / 2 + x2 / sqrt(4 pi)) + beta

A HerPNConv block works in pre-activation order, and its shortcut starts behind the first HerPN:

    h = HerPN1(x)     y = conv2(HerPN2(conv1(h))) + shortcut(h)

Source: AESPA (arXiv 2201.06699) for the activation, CryptoFace (CVPR 2025) for the network.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

F0 = 1 / math.sqrt(2 * math.pi)
F1 = 1 / 2
F2 = 1 / math.sqrt(4 * math.pi)

SIDE = 32
PATCH = 16
PATCHES = [(row, column) for row in range(0, SIDE, PATCH) for column in range(0, SIDE, PATCH)]


class HerPN(nn.Module):
    """The activation with its three BatchNorms in sight. x [N,C,H,W] -> the same shape."""

    def __init__(self, channels):
        super().__init__()
        self.bn0 = nn.BatchNorm2d(channels, affine=False)
        self.bn1 = nn.BatchNorm2d(channels, affine=False)
        self.bn2 = nn.BatchNorm2d(channels, affine=False)
        self.gamma = nn.Parameter(torch.ones(channels, 1, 1))
        self.beta = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x):
        x0 = self.bn0(torch.ones_like(x))
        x1 = self.bn1(x)
        x2 = self.bn2((torch.square(x) - 1) / math.sqrt(2))
        return self.gamma * (F0 * x0 + F1 * x1 + F2 * x2) + self.beta


def conv3x3(inputs, outputs, stride=1):
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)


class HerPNConv(nn.Module):
    """Residual block; a projection shortcut where the shape changes."""

    def __init__(self, inputs, outputs, stride, herpn):
        super().__init__()
        self.herpn1 = herpn(inputs)
        self.conv1 = conv3x3(inputs, outputs, stride)
        self.herpn2 = herpn(outputs)
        self.conv2 = conv3x3(outputs, outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        h = self.herpn1(x)
        return self.conv2(self.herpn2(self.conv1(h))) + self.shortcut(h)


class HerPNPool(nn.Module):
    def __init__(self, channels, herpn):
        super().__init__()
        self.herpn = herpn(channels)

    def forward(self, x):
        return F.avg_pool2d(self.herpn(x), kernel_size=4, stride=4)


class Backbone(nn.Module):
    """One patch, [N,1,16,16] -> its share of the logits, [N,10]."""

    def __init__(self, herpn):
        super().__init__()
        self.stem = conv3x3(1, 8)
        self.block1 = HerPNConv(8, 8, 1, herpn)
        self.block2 = HerPNConv(8, 16, 2, herpn)
        self.pool = HerPNPool(16, herpn)
        self.norm = nn.BatchNorm1d(64)
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = self.pool(self.block2(self.block1(self.stem(x))))
        return self.linear(self.norm(torch.flatten(x, 1)))


class PatchCNN(nn.Module):
    """x [N,1,32,32] in [-1,1] -> logits [N,10]. `herpn` builds an activation from a channel count."""

    def __init__(self, herpn=HerPN):
        super().__init__()
        self.backbones = nn.ModuleList(Backbone(herpn) for _ in PATCHES)

    def forward(self, x):
        logits = None
        for backbone, (row, column) in zip(self.backbones, PATCHES):
            part = backbone(x[:, :, row:row + PATCH, column:column + PATCH])
            logits = part if logits is None else logits + part
        return logits
