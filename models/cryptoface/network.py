# SPDX-License-Identifier: Apache-2.0
"""CryptoFaceNet, unfused, exactly as it is exported: a PatchCNN with HerPN activations for faces.

An image [N,3,S,S] is cut into grid x grid patches of 32x32, row by row. Each patch has a backbone with
its own weights; one linear layer and one BatchNorm join the features of all of them:

    stem       conv 3->16, 3x3
    layers 0   HerPNConv 16->16, identity shortcut
    layers 1   HerPNConv 16->32, stride 2, shortcut = 1x1 conv stride 2 + BatchNorm
    layers 2   HerPNConv 32->32
    layers 3   HerPNConv 32->64, stride 2, shortcut as in layers 1
    layers 4   HerPNConv 64->64
    pool       HerPN, average to 2x2, flatten, BatchNorm1d(256)
    head       concatenate, Linear 256 P -> 256, BatchNorm1d(256) without affine part
    normalise  x * (a y^2 + b y + c), y = |x|^2: about x / |x|                 (optional)

    HerPNConv  h = HerPN1(x)     y = conv2(HerPN2(conv1(h))) + shortcut(h)

Source: CryptoFace (CVPR 2025, arXiv 2509.00332); HerPN: AESPA (arXiv 2201.06699).
"""

import dataclasses

import numpy as np

from layers import BatchNorm, Conv, HerPN, Layer, Linear


@dataclasses.dataclass(frozen=True)
class Variant:
    grid: int                     # patches are grid x grid
    parameters: int               # what the network must have
    patch: int = 32
    channels: tuple = (16, 32, 64)
    embedding: int = 256

    @property
    def side(self):
        return self.grid * self.patch


# Net4, Net9, Net16: 0.94 M, 2.12 M and 3.78 M as published. The others are for tests.
VARIANTS = {
    'net4': Variant(2, 944_192),
    'net9': Variant(3, 2_124_112),
    'net16': Variant(4, 3_776_000),
    'patch': Variant(1, 236_240),
    'reduced': Variant(2, 52_336, patch=16, channels=(4, 8, 16), embedding=32),
}

# Multiplications one after the other when every HerPN is x^2 + a1 x + a0 with its factor moved on:
# specification of the field, and with pool, BatchNorm and Linear as one matrix one fewer.
LEVELS = {'stem': 1, 'blocks': 5 * 4, 'pool.herpn': 1, 'pool': 1, 'linear': 1}
LEVELS_NORMALISE = 4


class Block(Layer):
    def __init__(self, rng, inputs, outputs, stride):
        self.herpn1, self.conv1 = HerPN(rng, inputs), Conv(rng, inputs, outputs, 3, stride)
        self.herpn2, self.conv2 = HerPN(rng, outputs), Conv(rng, outputs, outputs, 3)
        self.shortcut = []
        if stride != 1 or inputs != outputs:
            self.shortcut = [Conv(rng, inputs, outputs, 1, stride), BatchNorm(outputs, rng)]

    def __call__(self, x, train):
        h = self.herpn1(x, train)
        y = self.conv2(self.herpn2(self.conv1(h, train), train), train)
        for layer in self.shortcut:
            h = layer(h, train)
        return y + h

    def emit(self, w, x, name):
        h = self.herpn1.emit(w, x, f'{name}.herpn1')
        y = self.herpn2.emit(w, self.conv1.emit(w, h, f'{name}.conv1'), f'{name}.herpn2')
        y = self.conv2.emit(w, y, f'{name}.conv2')
        for number, layer in enumerate(self.shortcut):
            h = layer.emit(w, h, f'{name}.shortcut.{number}')
        return w.node('Add', [y, h], f'{name}.add')


class Backbone(Layer):
    """One patch [3, N, side, side] -> features [4 * channels, N]."""

    def __init__(self, rng, variant):
        small, middle, large = variant.channels
        self.conv = Conv(rng, 3, small, 3)
        self.blocks = [Block(rng, small, small, 1), Block(rng, small, middle, 2),
                       Block(rng, middle, middle, 1), Block(rng, middle, large, 2),
                       Block(rng, large, large, 1)]
        self.herpn = HerPN(rng, large)
        self.window = variant.patch // 8
        self.bn = BatchNorm(4 * large, rng)

    def __call__(self, x, train):
        x = self.conv(x, train)
        for block in self.blocks:
            x = block(x, train)
        x = self.herpn(x, train)
        channels, count = x.shape[:2]
        x = x.reshape(channels, count, 2, self.window, 2, self.window).mean(axis=(3, 5))
        return self.bn(x.transpose(0, 2, 3, 1).reshape(4 * channels, count), train)

    def emit(self, w, x, name):
        x = self.conv.emit(w, x, f'{name}.conv')
        for number, block in enumerate(self.blocks):
            x = block.emit(w, x, f'{name}.layers.{number}')
        x = self.herpn.emit(w, x, f'{name}.herpnpool.herpn')
        x = w.node('AveragePool', [x], f'{name}.herpnpool.pool', kernel_shape=[self.window] * 2,
                   strides=[self.window] * 2)
        return self.bn.emit(w, w.node('Flatten', [x], f'{name}.flatten', axis=1), f'{name}.bn')


class CryptoFaceNet(Layer):
    def __init__(self, rng, variant):
        self.variant = variant
        patches = variant.grid**2
        self.nets = [Backbone(rng, variant) for _ in range(patches)]
        self.linear = Linear(rng, patches * 4 * variant.channels[2], variant.embedding)
        self.bn = BatchNorm(variant.embedding)
        self.norm = None  # a, b, c of the normalisation

    def corners(self):
        size = self.variant.patch
        return [(row, column) for row in range(0, self.variant.side, size)
                for column in range(0, self.variant.side, size)]

    def __call__(self, images, train=False):
        """images [N, 3, side, side] -> [N, embedding], before the normalisation"""
        x, size = images.transpose(1, 0, 2, 3), self.variant.patch
        parts = [net(x[:, :, row:row + size, column:column + size], train)
                 for net, (row, column) in zip(self.nets, self.corners())]
        return self.bn(self.linear(np.concatenate(parts), train), train).T

    def normalised(self, embeddings):
        a, b, c = self.norm.astype(np.float64)
        y = np.sum(embeddings**2, axis=1, keepdims=True)
        return embeddings * (a * y * y + b * y + c)

    def emit(self, w, x, normalise):
        size = self.variant.patch
        parts = []
        for number, (net, corner) in enumerate(zip(self.nets, self.corners())):
            patch = x
            if len(self.nets) > 1:
                ends = np.array(corner) + size
                patch = w.node('Slice', [x, w.constant(f'nets.{number}.from', np.array(corner)),
                                         w.constant(f'nets.{number}.to', ends),
                                         w.constant('slice.axes', np.array([2, 3]))], f'nets.{number}.slice')
            parts.append(net.emit(w, patch, f'nets.{number}'))
        x = w.node('Concat', parts, 'concat', axis=1) if len(parts) > 1 else parts[0]
        x = self.bn.emit(w, self.linear.emit(w, x, 'linear'), 'bn')
        return self.emit_norm(w, x) if normalise else x

    def emit_norm(self, w, x):
        a, b, c = (w.constant(f'norm.{name}', value) for name, value in zip('abc', self.norm))
        y = w.node('ReduceSum', [w.node('Mul', [x, x], 'norm.square'),
                                 w.constant('norm.axes', np.array([1]))], 'norm.sum', keepdims=1)
        quadratic = w.node('Mul', [w.node('Mul', [y, y], 'norm.sum_square'), a], 'norm.term2')
        linear = w.node('Add', [quadratic, w.node('Mul', [y, b], 'norm.term1')], 'norm.sum21')
        return w.node('Mul', [x, w.node('Add', [linear, c], 'norm.factor')], 'norm.result')
