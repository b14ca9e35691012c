#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the generated models of the optimizer benchmark, made with ONNX's own Python package.

    make_models.py FOLDER

conv_bn_pair, conv_no_bn, conv_bn_double: the seed's table. resnet, mobilenet, neck: nets as training
leaves them, BatchNormalization kept, activations decomposed. generated_weights: 9 KB whose weights are
ConstantOfShape; an optimizer that folds them writes hundreds of megabytes.
"""
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Net:
    """A graph that grows at one end; every method adds nodes and returns the name of its result."""

    def __init__(self, seed=1):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.weights, self.count = [], [], 0

    def add(self, op, *inputs, outputs=1, **attributes):
        self.count += 1
        names = [f'{op}_{self.count}' + (f'_{i}' if i else '') for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, f'{op}_{self.count}', **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, array):
        self.count += 1
        name = f'w{self.count}'
        self.weights.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def normal(self, *shape, scale=1.0):
        return self.constant((self.rng.standard_normal(shape) * scale).astype(np.float32))

    def scalar(self, value):
        return self.constant(np.float32(value))

    def conv_bn(self, x, inputs, outputs, kernel=3, stride=1, group=1):
        fan = inputs // group * kernel * kernel
        pad = kernel // 2
        y = self.add('Conv', x, self.normal(outputs, inputs // group, kernel, kernel, scale=fan ** -0.5),
                     pads=[pad] * 4, strides=[stride] * 2, group=group, kernel_shape=[kernel] * 2)
        positive = self.constant(self.rng.uniform(0.5, 1.5, outputs).astype(np.float32))
        variance = self.constant(self.rng.uniform(0.5, 1.5, outputs).astype(np.float32))
        return self.add('BatchNormalization', y, positive, self.normal(outputs, scale=0.1),
                        self.normal(outputs, scale=0.1), variance)

    def hard_swish(self, x):
        y = self.add('Clip', self.add('Add', x, self.scalar(3)), self.scalar(0), self.scalar(6))
        return self.add('Div', self.add('Mul', x, y), self.scalar(6))

    def squeeze_excite(self, x, channels):
        y = self.add('GlobalAveragePool', x)
        y = self.add('Conv', y, self.normal(channels // 4, channels, 1, 1, scale=channels ** -0.5))
        y = self.add('Relu', y)
        y = self.add('Conv', y, self.normal(channels, channels // 4, 1, 1, scale=channels ** -0.5))
        y = self.add('Clip', self.add('Add', y, self.scalar(3)), self.scalar(0), self.scalar(6))
        return self.add('Mul', x, self.add('Div', y, self.scalar(6)))

    def flatten(self, x):
        """As torch.onnx writes x.view(x.size(0), -1)."""
        batch = self.add('Gather', self.add('Shape', x), self.constant(np.int64(0)))
        batch = self.add('Unsqueeze', batch, self.constant(np.int64([0])))
        target = self.add('Concat', batch, self.constant(np.int64([-1])), axis=0)
        return self.add('Reshape', x, target)

    def save(self, path, result, shape, result_shape, opset=17):
        graph = helper.make_graph(
            self.nodes, path.stem, [helper.make_tensor_value_info('x', TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(result, TensorProto.FLOAT, result_shape)], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', opset)], ir_version=8)
        onnx.save(model, str(path))


def resnet(path):
    net = Net()
    x = net.add('Relu', net.conv_bn('x', 3, 16))
    channels = 16
    for width, stride in ((16, 1), (16, 1), (32, 2), (32, 1), (64, 2), (64, 1)):
        y = net.add('Relu', net.conv_bn(x, channels, width, 3, stride))
        y = net.conv_bn(y, width, width)
        if channels != width:
            x = net.conv_bn(x, channels, width, 1, stride)
        x, channels = net.add('Relu', net.add('Add', y, x)), width
    x = net.flatten(net.add('GlobalAveragePool', x))
    net.save(path, net.add('Gemm', x, net.normal(10, 64, scale=0.1), net.normal(10), transB=1),
             ['batch', 3, 32, 32], ['batch', 10])


def mobilenet(path):
    net = Net(2)
    x = net.hard_swish(net.conv_bn('x', 3, 16, 3, 2))
    channels = 16
    for width, kernel, stride in ((16, 3, 1), (24, 3, 2), (24, 3, 1), (40, 5, 2), (40, 5, 1)):
        y = net.hard_swish(net.conv_bn(x, channels, 4 * channels, 1))
        y = net.hard_swish(net.conv_bn(y, 4 * channels, 4 * channels, kernel, stride, 4 * channels))
        y = net.conv_bn(net.squeeze_excite(y, 4 * channels), 4 * channels, width, 1)
        x, channels = (net.add('Add', x, y) if channels == width else y), width
    x = net.hard_swish(net.conv_bn(x, channels, 96, 1))
    x = net.flatten(net.add('GlobalAveragePool', x))
    net.save(path, net.add('Gemm', x, net.normal(10, 96, scale=0.1), net.normal(10), transB=1),
             ['batch', 3, 64, 64], ['batch', 10])


def neck(path):
    """Split, SiLU, upsampling and concatenation as in YOLO's neck."""
    net = Net(3)

    def silu(x):
        return net.add('Mul', x, net.add('Sigmoid', x))

    a = silu(net.conv_bn('x', 3, 32, 3, 2))
    b = silu(net.conv_bn(a, 32, 64, 3, 2))
    sizes = net.constant(np.int64([32, 32]))
    left, right = net.add('Split', b, sizes, outputs=2, axis=1)
    y = silu(net.conv_bn(silu(net.conv_bn(right, 32, 32)), 32, 32))
    b = silu(net.conv_bn(net.add('Concat', left, right, net.add('Add', right, y), axis=1), 96, 64, 1))
    scales = net.constant(np.float32([1, 1, 2, 2]))
    up = net.add('Resize', b, '', scales, mode='nearest', coordinate_transformation_mode='asymmetric',
                 nearest_mode='floor')
    y = silu(net.conv_bn(net.add('Concat', up, a, axis=1), 96, 32, 1))
    y = net.add('Reshape', net.add('Conv', y, net.normal(8, 32, 1, 1, scale=0.2), net.normal(8)),
                net.constant(np.int64([0, 8, -1])))
    net.save(path, net.add('Transpose', y, perm=[0, 2, 1]), ['batch', 3, 64, 64], ['batch', 1024, 8])


def toys(folder):
    for name, widths, normalized in (('conv_bn_pair', [3, 8], True), ('conv_no_bn', [3, 8], False),
                                     ('conv_bn_double', [3, 8, 4], True)):
        net, x = Net(4), 'x'
        for i, o in zip(widths, widths[1:]):
            x = net.conv_bn(x, i, o) if normalized else net.add(
                'Conv', x, net.normal(o, i, 3, 3), net.normal(o), pads=[1] * 4)
        net.save(folder / f'{name}.onnx', x, [1, 3, 16, 16], [1, widths[-1], 16, 16])


def generated_weights(path):
    net, x, channels = Net(5), 'x', 3
    for width in (64, 128, 256, 512, 512, 512, 512):
        shape = net.constant(np.int64([width, channels, 3, 3]))
        weight = net.add('ConstantOfShape', shape, value=helper.make_tensor('v', TensorProto.FLOAT, [1], [0.01]))
        x, channels = net.add('Relu', net.add('Conv', x, weight, pads=[1] * 4, strides=[2] * 2)), width
    x = net.add('Flatten', x)
    for i, o in ((512, 4096), (4096, 4096), (4096, 1000)):
        shape = net.constant(np.int64([i, o]))
        weight = net.add('ConstantOfShape', shape, value=helper.make_tensor('v', TensorProto.FLOAT, [1], [0.01]))
        x = net.add('MatMul', x, weight)
    net.save(path, x, [1, 3, 128, 128], [1, 1000])


def main(folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    resnet(folder / 'resnet.onnx')
    mobilenet(folder / 'mobilenet.onnx')
    neck(folder / 'neck.onnx')
    toys(folder)
    generated_weights(folder / 'generated_weights.onnx')


if __name__ == '__main__':
    main(sys.argv[1])
