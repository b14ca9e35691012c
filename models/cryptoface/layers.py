# SPDX-License-Identifier: Apache-2.0
"""The layers: each computes itself with numpy, in train or eval mode, and writes its ONNX nodes.

Activations are float64 [C, N, H, W] (channels first, so that a convolution is one matrix product) or
[features, N]. Parameters are float32 values. Train mode is PyTorch's: a BatchNorm normalises by the
statistics of its batch and keeps their cumulative average, the variance unbiased; eval mode uses what was
kept.
"""

import math

import numpy as np

EPSILON = 1e-5
STATISTIC_BITS = 16
OWN_TAPS = 0.25

F0 = 1 / math.sqrt(2 * math.pi)
F1 = 1 / 2
F2 = 1 / math.sqrt(4 * math.pi)


def rounded(values, bits=STATISTIC_BITS):
    """To so many significant bits: what another BLAS sums in another order comes out the same."""
    mantissa, exponent = np.frexp(np.asarray(values, np.float64))
    return np.ldexp(np.rint(mantissa * 2.0**bits), exponent - bits).astype(np.float32)


def uniform(rng, low, high, shape):
    return (low + (high - low) * rng.random_sample(shape)).astype(np.float32)


class Layer:
    def parameters(self):
        """Every trained number: arrays named in `trained`, those of sub-layers too."""
        own = [getattr(self, name) for name in getattr(self, 'trained', ())]
        return own + [array for layer in self.layers() for array in layer.parameters()]

    def layers(self):
        parts = [p for value in vars(self).values() for p in (value if isinstance(value, list) else [value])]
        return [part for part in parts if isinstance(part, Layer)]

    def finish(self):
        """Called once after the last pass in train mode."""
        for layer in self.layers():
            layer.finish()


class Conv(Layer):
    """Square kernel, no bias, padding that keeps the size at stride 1.

    Filters start as local averages, one Kaiming uniform number for all taps, with a part of their own for
    each tap. Filters that are all different find edges; the few very strong ones among them are squared by
    every HerPN, and without training nothing keeps them from running away.
    """
    trained = ('weight',)

    def __init__(self, rng, inputs, outputs, kernel, stride=1):
        bound = math.sqrt(6 / (inputs * kernel**2))
        common = uniform(rng, -bound, bound, (outputs, inputs, 1, 1))
        own = uniform(rng, -bound, bound, (outputs, inputs, kernel, kernel))
        self.weight = ((1 - OWN_TAPS) * common + OWN_TAPS * own).astype(np.float32)
        self.kernel, self.stride, self.padding = kernel, stride, kernel // 2

    def __call__(self, x, train):
        channels, count, height, width = x.shape
        k, s, p = self.kernel, self.stride, self.padding
        rows, columns = (height + 2 * p - k) // s + 1, (width + 2 * p - k) // s + 1
        x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        taps = [x[:, :, i:i + s * rows:s, j:j + s * columns:s] for i in range(k) for j in range(k)]
        taps = np.stack(taps, axis=1).reshape(channels * k * k, -1)
        y = self.weight.reshape(len(self.weight), -1).astype(np.float64) @ taps
        return y.reshape(-1, count, rows, columns)

    def emit(self, w, x, name):
        return w.node('Conv', [x, w.constant(f'{name}.weight', self.weight)], f'{name}',
                      kernel_shape=[self.kernel] * 2, strides=[self.stride] * 2,
                      pads=[self.padding] * 4)


class BatchNorm(Layer):
    def __init__(self, channels, rng=None):
        """With `rng` affine, and then away from the identity, so that a forgotten factor shows."""
        self.weight, self.bias = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        if rng is not None:
            self.trained = ('weight', 'bias')
            self.weight = uniform(rng, 0.75, 1.25, channels)
            self.bias = uniform(rng, -0.25, 0.25, channels)
        self.mean, self.variance, self.passes = np.zeros(channels), np.zeros(channels), 0

    def __call__(self, x, train):
        shape = (-1,) + (1,) * (x.ndim - 1)
        mean, variance = self.mean, self.variance
        if train:
            axes = tuple(range(1, x.ndim))
            mean, variance, count = x.mean(axis=axes), x.var(axis=axes), x[0].size
            self.passes += 1
            self.mean = self.mean + (mean - self.mean) / self.passes
            self.variance = self.variance + (variance * count / (count - 1) - self.variance) / self.passes
        scale = self.weight / np.sqrt(variance + EPSILON)
        return (x - mean.reshape(shape)) * scale.reshape(shape) + self.bias.reshape(shape)

    def finish(self):
        self.mean, self.variance = rounded(self.mean), rounded(self.variance)

    def emit(self, w, x, name):
        inputs = [('weight', self.weight), ('bias', self.bias), ('running_mean', self.mean),
                  ('running_var', self.variance)]
        return w.node('BatchNormalization', [x] + [w.constant(f'{name}.{n}', a) for n, a in inputs],
                      name, epsilon=EPSILON)


class HerPN(Layer):
    """x0 = BN0(1)   x1 = BN1(x)   x2 = BN2((x^2 - 1) / sqrt 2)
    y = gamma * (x0 / sqrt(2 pi) + x1 / 2 + x2 / sqrt(4 pi)) + beta
    """
    trained = ('gamma', 'beta')

    def __init__(self, rng, channels):
        self.bn0, self.bn1, self.bn2 = BatchNorm(channels), BatchNorm(channels), BatchNorm(channels)
        self.gamma = uniform(rng, 0.75, 1.25, (channels, 1, 1))
        self.beta = uniform(rng, -0.25, 0.25, (channels, 1, 1))

    def __call__(self, x, train):
        x0 = self.bn0(np.ones_like(x), train)
        x1 = self.bn1(x, train)
        x2 = self.bn2((x * x - 1) / math.sqrt(2), train)
        return self.gamma[..., None] * (F0 * x0 + F1 * x1 + F2 * x2) + self.beta[..., None]

    def coefficients(self):
        """w2, w1, w0 of y = w2 x^2 + w1 x + w0, per channel."""
        s0, s1, s2 = (np.sqrt(bn.variance.astype(np.float64) + EPSILON)
                      for bn in (self.bn0, self.bn1, self.bn2))
        gamma, beta = self.gamma.ravel().astype(np.float64), self.beta.ravel().astype(np.float64)
        w2 = gamma / (math.sqrt(8 * math.pi) * s2)
        w1 = gamma / (2 * s1)
        w0 = beta + gamma * ((1 - self.bn0.mean) * F0 / s0 - self.bn1.mean / (2 * s1)
                             - (1 + math.sqrt(2) * self.bn2.mean) / (math.sqrt(8 * math.pi) * s2))
        return w2, w1, w0

    def emit(self, w, x, name):
        def binary(op, a, b, label):
            b = b if isinstance(b, str) else w.constant(f'{name}.{label}.constant', np.float32(b))
            return w.node(op, [a, b], f'{name}.{label}')
        shape = w.node('Shape', [x], f'{name}.shape')
        ones = w.node('ConstantOfShape', [shape], f'{name}.ones', value=w.tensor('one', np.ones(1, np.float32)))
        x0 = self.bn0.emit(w, ones, f'{name}.bn0')
        x1 = self.bn1.emit(w, x, f'{name}.bn1')
        squared = binary('Sub', binary('Mul', x, x, 'square'), 1, 'less_one')
        x2 = self.bn2.emit(w, binary('Div', squared, math.sqrt(2), 'hermite2'), f'{name}.bn2')
        first = binary('Add', binary('Mul', x0, F0, 'term0'), binary('Mul', x1, F1, 'term1'), 'sum01')
        total = binary('Add', first, binary('Mul', x2, F2, 'term2'), 'sum')
        gamma, beta = w.constant(f'{name}.weight', self.gamma), w.constant(f'{name}.bias', self.beta)
        return binary('Add', binary('Mul', total, gamma, 'scaled'), beta, 'shifted')


class Linear(Layer):
    """x [inputs, N] -> [outputs, N]"""
    trained = ('weight', 'bias')

    def __init__(self, rng, inputs, outputs):
        bound = 1 / math.sqrt(inputs)
        self.weight = uniform(rng, -bound, bound, (outputs, inputs))
        self.bias = uniform(rng, -bound, bound, outputs)

    def __call__(self, x, train):
        return self.weight.astype(np.float64) @ x + self.bias[:, None]

    def emit(self, w, x, name):
        return w.node('Gemm', [x, w.constant(f'{name}.weight', self.weight),
                               w.constant(f'{name}.bias', self.bias)], name, transB=1)
