# SPDX-License-Identifier: Apache-2.0
"""The same network in PyTorch, as an oracle for layers.py: train-mode statistics and embeddings.

    python3 check_torch.py [NAME]        default: patch

Copies the weights, runs PyTorch's own BatchNorm (cumulative average) over the same crops in float64 and
compares every kept mean and variance, then eval-mode embeddings. Needs python3-torch; imports no ONNX.
"""

import math
import sys

import numpy as np
import torch
import torch.nn.functional as F

import photographs
from layers import BatchNorm, HerPN
from network import VARIANTS, CryptoFaceNet

SEED, BATCH, PASSES = 1, 16, 2


def tensor(array):
    return torch.from_numpy(np.asarray(array, np.float64))


class TorchNet:
    """Runs a CryptoFaceNet's weights with PyTorch's operators; one torch BatchNorm for each of ours."""

    def __init__(self, net):
        self.net, self.norms, self.train = net, {}, True

    def batch_norm(self, layer, x):
        if id(layer) not in self.norms:
            kind = torch.nn.BatchNorm2d if x.ndim == 4 else torch.nn.BatchNorm1d
            norm = kind(len(layer.weight), momentum=None).double()
            norm.weight.data, norm.bias.data = tensor(layer.weight), tensor(layer.bias)
            self.norms[id(layer)] = norm
        return self.norms[id(layer)].train(self.train)(x)

    def herpn(self, layer, x):
        x0 = self.batch_norm(layer.bn0, torch.ones_like(x))
        x1 = self.batch_norm(layer.bn1, x)
        x2 = self.batch_norm(layer.bn2, (torch.square(x) - 1) / math.sqrt(2))
        total = x0 / math.sqrt(2 * math.pi) + x1 / 2 + x2 / math.sqrt(4 * math.pi)
        return tensor(layer.gamma) * total + tensor(layer.beta)

    def conv(self, layer, x):
        return F.conv2d(x, tensor(layer.weight), stride=layer.stride, padding=layer.padding)

    def backbone(self, layer, x):
        x = self.conv(layer.conv, x)
        for block in layer.blocks:
            h = self.herpn(block.herpn1, x)
            x = self.conv(block.conv2, self.herpn(block.herpn2, self.conv(block.conv1, h)))
            if block.shortcut:
                h = self.batch_norm(block.shortcut[1], self.conv(block.shortcut[0], h))
            x = x + h
        x = F.adaptive_avg_pool2d(self.herpn(layer.herpn, x), (2, 2))
        return self.batch_norm(layer.bn, torch.flatten(x, 1))

    def __call__(self, images, train):
        self.train = train
        x, size = tensor(images), self.net.variant.patch
        parts = [self.backbone(net, x[:, :, r:r + size, c:c + size])
                 for net, (r, c) in zip(self.net.nets, self.net.corners())]
        linear = self.net.linear
        y = F.linear(torch.cat(parts, 1), tensor(linear.weight), tensor(linear.bias))
        return self.batch_norm(self.net.bn, y).detach().numpy()


def all_layers(layer):
    yield layer
    for part in layer.layers():
        yield from all_layers(part)


def relative(found, expected):
    scale = max(1e-12, float(np.abs(expected).max()))
    return float(np.abs(found - expected).max()) / scale


def main():
    torch.set_num_threads(1)
    rng = np.random.RandomState(SEED)
    net = CryptoFaceNet(rng, VARIANTS[sys.argv[1] if len(sys.argv) > 1 else 'patch'])
    oracle = TorchNet(net)
    worst = 0.0
    for _ in range(PASSES):
        crops = photographs.crops(BATCH, net.variant.side, rng)
        worst = max(worst, relative(net(crops, train=True), oracle(crops, True)))
    print(f'train-mode embeddings: {worst:.1e}')
    statistics = 0.0
    for layer in all_layers(net):
        if isinstance(layer, BatchNorm):
            norm = oracle.norms[id(layer)]
            statistics = max(statistics, relative(layer.mean, norm.running_mean.numpy()),
                             relative(layer.variance, norm.running_var.numpy()))
    print(f'means and variances of {len(oracle.norms)} BatchNorms: {statistics:.1e}')
    embeddings = relative(net(crops), oracle(crops, False))
    print(f'eval-mode embeddings: {embeddings:.1e}')
    quadratic = 0.0
    x = rng.random_sample((1, 2, 4, 4)) * 4 - 2
    for layer in all_layers(net):
        if isinstance(layer, HerPN):
            y = np.repeat(x, len(layer.gamma), axis=0)
            w2, w1, w0 = (w[:, None, None, None] for w in layer.coefficients())
            quadratic = max(quadratic, relative((w2 * y + w1) * y + w0, layer(y, False)))
    print(f'HerPN as one quadratic: {quadratic:.1e}')
    if max(worst, statistics, embeddings, quadratic) > 1e-6:
        sys.exit('PyTorch and numpy differ')


if __name__ == '__main__':
    main()
