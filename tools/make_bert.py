#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a BERT-like encoder as ONNX, the way PyTorch exports the usual implementation: dynamic
batch and sequence, shape plumbing around every Reshape, weights behind Transpose nodes, LayerNorm
and GELU in pieces, constants as nodes. The weights are small and random; the result depends on the
arguments only.

usage: make_bert.py OUT.onnx [--layers 12] [--hidden 64] [--heads 4] [--opset 17] [--seed 1]
"""
import argparse

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Writer:
    def __init__(self, seed):
        self.nodes, self.initializers, self.random = [], [], np.random.RandomState(seed)
        self.count = 0

    def fresh(self, op):
        self.count += 1
        return f"{op}_{self.count}"

    def node(self, op, *inputs, **attributes):
        out = self.fresh(op)
        self.nodes.append(helper.make_node(op, list(inputs), [out], name="n_" + out, **attributes))
        return out

    def constant(self, value, dtype):
        tensor = numpy_helper.from_array(np.array(value, dtype=dtype))
        return self.node("Constant", value=tensor)

    def integer(self, value):
        return self.constant(value, np.int64)

    def real(self, value):
        return self.constant(value, np.float32)

    def weight(self, name, *shape, scale=None, offset=0.0):
        scale = 1 / np.sqrt(shape[0]) if scale is None else scale
        values = (self.random.standard_normal(shape) * scale + offset).astype(np.float32)
        self.initializers.append(numpy_helper.from_array(values, name))
        return name

    def table(self, name, values):
        self.initializers.append(numpy_helper.from_array(values, name))
        return name


class Bert:
    def __init__(self, args):
        self.w, self.hidden, self.heads, self.opset = Writer(args.seed), args.hidden, args.heads, args.opset
        self.vocabulary, self.positions = 500, 128

    def size(self, x, axis):
        """One entry of the shape of x as a one-element tensor."""
        w = self.w
        entry = w.node("Gather", w.node("Shape", x), w.integer(axis), axis=0)
        return w.node("Unsqueeze", entry, w.integer([0]))

    def mean(self, x):
        w = self.w
        if self.opset >= 18:
            return w.node("ReduceMean", x, w.integer([-1]))
        return w.node("ReduceMean", x, axes=[-1])

    def layer_norm(self, x, name):
        w = self.w
        centred = w.node("Sub", x, self.mean(x))
        variance = self.mean(w.node("Pow", centred, w.real(2)))
        deviation = w.node("Sqrt", w.node("Add", variance, w.real(1e-12)))
        scaled = w.node("Mul", w.node("Div", centred, deviation),
                        w.weight(name + ".weight", self.hidden, scale=0.1, offset=1.0))
        return w.node("Add", scaled, w.weight(name + ".bias", self.hidden, scale=0.1))

    def linear(self, x, name, outputs, inputs):
        w = self.w
        transposed = w.node("Transpose", w.weight(name + ".weight", outputs, inputs), perm=[1, 0])
        return w.node("Add", w.weight(name + ".bias", outputs, scale=0.1),
                      w.node("MatMul", x, transposed))

    def split_heads(self, x, perm):
        w = self.w
        target = w.node("Concat", self.size(x, 0), self.size(x, 1), w.integer([self.heads]),
                        w.integer([self.hidden // self.heads]), axis=0)
        return w.node("Transpose", w.node("Reshape", x, target), perm=perm)

    def attention(self, x, mask, name):
        w, hidden = self.w, self.hidden
        query = self.linear(x, name + ".query", hidden, hidden)
        key = self.split_heads(self.linear(x, name + ".key", hidden, hidden), [0, 2, 3, 1])
        value = self.split_heads(self.linear(x, name + ".value", hidden, hidden), [0, 2, 1, 3])
        query = self.split_heads(query, [0, 2, 1, 3])
        scores = w.node("Div", w.node("MatMul", query, key),
                        w.real(np.sqrt(hidden // self.heads)))
        weights = w.node("Softmax", w.node("Add", scores, mask), axis=-1)
        context = w.node("Transpose", w.node("MatMul", weights, value), perm=[0, 2, 1, 3])
        target = w.node("Concat", self.size(context, 0), self.size(context, 1),
                        w.integer([hidden]), axis=0)
        return w.node("Reshape", context, target)

    def gelu(self, x):
        w = self.w
        erf = w.node("Erf", w.node("Div", x, w.real(np.sqrt(2))))
        return w.node("Mul", w.node("Mul", x, w.node("Add", erf, w.real(1))), w.real(0.5))

    def layer(self, x, mask, name):
        w, hidden = self.w, self.hidden
        attended = self.linear(self.attention(x, mask, name + ".attention"), name + ".dense",
                               hidden, hidden)
        x = self.layer_norm(w.node("Add", attended, x), name + ".norm1")
        inner = self.gelu(self.linear(x, name + ".inner", 4 * hidden, hidden))
        outer = self.linear(inner, name + ".outer", hidden, 4 * hidden)
        return self.layer_norm(w.node("Add", outer, x), name + ".norm2")

    def embeddings(self):
        w = self.w
        positions = w.table("position_ids", np.arange(self.positions, dtype=np.int64)[None])
        cut = w.node("Slice", positions, w.integer([0]), self.size("input_ids", 1), w.integer([1]),
                     w.integer([1]))
        words = w.node("Gather", w.weight("words", self.vocabulary, self.hidden, scale=1), "input_ids")
        types = w.node("Gather", w.weight("types", 2, self.hidden, scale=1), "token_type_ids")
        places = w.node("Gather", w.weight("places", self.positions, self.hidden, scale=1), cut)
        return self.layer_norm(w.node("Add", w.node("Add", words, types), places), "norm")

    def mask(self):
        w = self.w
        wide = w.node("Unsqueeze", w.node("Unsqueeze", "attention_mask", w.integer([1])),
                      w.integer([2]))
        present = w.node("Cast", wide, to=TensorProto.FLOAT)
        return w.node("Mul", w.node("Sub", w.real(1), present), w.real(-10000))

    def model(self, layers):
        mask, x = self.mask(), self.embeddings()
        for i in range(layers):
            x = self.layer(x, mask, f"layer{i}")
        self.w.nodes[-1].output[0] = "last_hidden_state"
        sizes = ["batch", "sequence"]
        inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, sizes)
                  for n in ("input_ids", "attention_mask", "token_type_ids")]
        output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT,
                                               sizes + [self.hidden])
        graph = helper.make_graph(self.w.nodes, "bert", inputs, [output], self.w.initializers)
        return helper.make_model(graph, ir_version=8,
                                 opset_imports=[helper.make_opsetid("", self.opset)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    for name, value in (("layers", 12), ("hidden", 64), ("heads", 4), ("opset", 17), ("seed", 1)):
        parser.add_argument("--" + name, type=int, default=value)
    args = parser.parse_args()
    model = Bert(args).model(args.layers)
    onnx.save(model, args.out)
    print(f"{args.out}: {len(model.graph.node)} nodes, {model.ByteSize()} bytes")


if __name__ == "__main__":
    main()
