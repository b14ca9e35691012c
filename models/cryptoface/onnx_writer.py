# SPDX-License-Identifier: Apache-2.0
"""Collects nodes and constants of an ONNX graph; the bytes depend on nothing but the calls."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 13
IR_VERSION = 7


class Writer:
    def __init__(self):
        self.nodes, self.constants = [], {}

    def tensor(self, name, array):
        return numpy_helper.from_array(np.ascontiguousarray(array), name)

    def constant(self, name, array):
        self.constants.setdefault(name, self.tensor(name, np.asarray(array)))
        return name

    def node(self, op, inputs, name, **attributes):
        """Its one output has the node's name."""
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def model(self, title, input_dims, output, output_dims):
        """Checked model of one float input `x` and one float output `embedding`, any batch."""
        self.nodes[-1].output[0] = 'embedding'
        if self.nodes[-1].name != output:
            raise ValueError(f'{output} is not the last node')
        graph = helper.make_graph(
            self.nodes, title,
            [helper.make_tensor_value_info('x', TensorProto.FLOAT, ['N', *input_dims])],
            [helper.make_tensor_value_info('embedding', TensorProto.FLOAT, ['N', *output_dims])],
            list(self.constants.values()))
        model = helper.make_model(graph, producer_name='sinter/models/cryptoface', ir_version=IR_VERSION,
                                  opset_imports=[helper.make_opsetid('', OPSET)])
        onnx.checker.check_model(model, full_check=True)
        return model


def shapes(model):
    """name -> dims of every value that shape inference knows"""
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    return {value.name: tuple(d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim)
            for value in [*inferred.input, *inferred.value_info, *inferred.output]}
