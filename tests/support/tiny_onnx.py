#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes small ONNX models for the tests of the command, byte by byte, without any ONNX package.

usage: tiny_onnx.py KIND FILE

  good          x[N,1,8,8] -> Conv 1->2 -> square -> AveragePool -> Flatten -> Gemm -> y[N,3]
  other         the same shape of network with a larger filter and pool: needs other rotations
  deep          twelve squares in a row
  relu          a Relu between Conv and Gemm
  unknown_op    an operator that does not exist
  new_opset     the good network, said to be of opset 99
  center        x[N,4] minus its mean over the batch: couples the items
  norm          x[N,4] minus the mean of each item
  defaulted     a Gemm whose weight is also an input, with a default value
  branches      x[N,1,8,8]: each half through four convolutions and squares, both into one Gemm
  left_affine   ends with BatchNormalization of a product of two values: nothing to fuse it into
"""

import random
import struct
import sys


def varint(value):
    out = bytearray()
    value &= (1 << 64) - 1
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def block(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def attribute(name, value):
    if isinstance(value, list):
        return block(1, name) + b"".join(number(8, v) for v in value) + number(20, 7)
    if isinstance(value, float):
        return block(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, 1)
    return block(1, name) + number(3, value) + number(20, 2)


def node(op, inputs, output, **attributes):
    return (b"".join(block(1, name) for name in inputs) + block(2, output) +
            block(3, "node_" + output) + block(4, op) +
            b"".join(block(5, attribute(k, v)) for k, v in attributes.items()))


def tensor(name, dims, rng, low=0.1, high=0.5):
    count = 1
    for d in dims:
        count *= d
    values = [rng.uniform(low, high) for _ in range(count)]
    return (b"".join(number(1, d) for d in dims) + number(2, 1) + block(8, name) +
            block(9, struct.pack(f"<{count}f", *values)))


def integers(name, values):
    return (number(1, len(values)) + number(2, 7) + block(8, name) +
            block(9, struct.pack(f"<{len(values)}q", *values)))


def value_info(name, dims):
    shape = b"".join(block(1, block(2, d) if isinstance(d, str) else number(1, d)) for d in dims)
    return block(1, name) + block(2, block(1, number(1, 1) + block(2, shape)))


def model(nodes, tensors, inputs, outputs, opset=13):
    graph = (b"".join(block(1, n) for n in nodes) + block(2, "tiny") +
             b"".join(block(5, t) for t in tensors) + b"".join(block(11, i) for i in inputs) +
             b"".join(block(12, o) for o in outputs))
    return number(1, 7) + block(2, "tiny_onnx") + block(7, graph) + block(8, number(2, opset))


def branches(rng):
    """Two halves of the image, told apart by their weights alone."""
    nodes, tensors, parts = [], [integers("axis", [3])], []
    for half in range(2):
        tensors += [integers(f"from{half}", [4 * half]), integers(f"to{half}", [4 * half + 4])]
        last = f"half{half}"
        nodes.append(node("Slice", ["x", f"from{half}", f"to{half}", "axis"], last))
        for k in range(4):
            name = f"{half}_{k}"
            tensors += [tensor("w" + name, [2, 2 if k else 1, 3, 3], rng, -0.3, 0.3), tensor("b" + name, [2], rng)]
            nodes.append(node("Conv", [last, "w" + name, "b" + name], "c" + name, kernel_shape=[3, 3], pads=[1] * 4))
            nodes.append(node("Mul", ["c" + name, "c" + name], "s" + name))
            last = "s" + name
        nodes.append(node("AveragePool", [last], f"p{half}", kernel_shape=[4, 4], strides=[4, 4]))
        nodes.append(node("Flatten", [f"p{half}"], f"f{half}", axis=1))
        parts.append(f"f{half}")
    tensors += [tensor("g", [3, 8], rng), tensor("h", [3], rng)]
    nodes += [node("Concat", parts, "f", axis=1), node("Gemm", ["f", "g", "h"], "y", transB=1)]
    return model(nodes, tensors, [value_info("x", ["N", 1, 8, 8])], [value_info("y", ["N", 3])])


def build(kind):
    rng = random.Random(7)
    if kind == "branches":
        return branches(rng)
    if kind in ("center", "norm"):
        ports = [value_info(name, ["N", 4]) for name in "xy"]
        nodes = [node("ReduceMean", ["x"], "m", axes=[0 if kind == "center" else 1], keepdims=1),
                 node("Sub", ["x", "m"], "y")]
        return model(nodes, [], ports[:1], ports[1:])
    if kind == "defaulted":
        return model([node("Gemm", ["x", "k"], "y")], [tensor("k", [4, 3], rng)],
                     [value_info("x", ["N", 4]), value_info("k", [4, 3])],
                     [value_info("y", ["N", 3])])
    x, y = value_info("x", ["N", 1, 8, 8]), value_info("y", ["N", 3])
    filter_size, pool = (5, 2) if kind == "other" else (3, 4)
    pads = [filter_size // 2] * 4
    side = 8 // pool
    tensors = [tensor("w", [2, 1, filter_size, filter_size], rng), tensor("b", [2], rng),
               tensor("g", [3, 2 * side * side], rng), tensor("h", [3], rng)]
    nodes = [node("Conv", ["x", "w", "b"], "c", kernel_shape=[filter_size] * 2, pads=pads)]
    last = "c"
    if kind == "relu":
        nodes.append(node("Relu", ["c"], "r"))
        last = "r"
    elif kind == "unknown_op":
        nodes.append(node("Frobnicate", ["c"], "r"))
        last = "r"
    elif kind == "left_affine":
        tensors += [tensor("w2", [2, 1, 3, 3], rng)]
        tensors += [tensor(name, [2], rng) for name in ("gamma", "beta", "mean", "var")]
        nodes.append(node("Conv", ["x", "w2"], "c2", kernel_shape=[3, 3], pads=[1] * 4))
        nodes.append(node("Mul", ["c", "c2"], "m"))
        nodes.append(node("BatchNormalization", ["m", "gamma", "beta", "mean", "var"], "n",
                          epsilon=1e-5))
        return model(nodes, tensors, [x], [value_info("n", ["N", 2, 8, 8])])
    else:
        for i in range(12 if kind == "deep" else 1):
            nodes.append(node("Mul", [last, last], f"s{i}"))
            last = f"s{i}"
    nodes.append(node("AveragePool", [last], "p", kernel_shape=[pool] * 2, strides=[pool] * 2))
    nodes.append(node("Flatten", ["p"], "f", axis=1))
    nodes.append(node("Gemm", ["f", "g", "h"], "y", transB=1))
    return model(nodes, tensors, [x], [y], 99 if kind == "new_opset" else 13)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[2], "wb") as file:
        file.write(build(sys.argv[1]))
