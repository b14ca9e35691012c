# SPDX-License-Identifier: Apache-2.0
"""Checks the exported file with the onnx package and prints its operators.

    python3 check_onnx.py model.onnx

A separate program because libonnx and libtorch do not always share a process.
"""

import collections
import sys

import onnx

BATCH_NORMS = 68  # per backbone: 5 HerPN with 3 each, the projection shortcut, the head


def dimensions(value):
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


def main():
    model = onnx.load(sys.argv[1])
    onnx.checker.check_model(model, full_check=True)
    graph = model.graph
    counts = collections.Counter(node.op_type for node in graph.node)
    print(f"ir_version {model.ir_version}, opset {model.opset_import[0].version}, producer "
          f"{model.producer_name} {model.producer_version}")
    for value in list(graph.input) + list(graph.output):
        print(f"{value.name} {dimensions(value)}")
    print(f"{len(graph.node)} nodes, {len(graph.initializer)} initializers")
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        print(f"{count:5} {name}")
    outputs = {len(node.output) for node in graph.node if node.op_type == "BatchNormalization"}
    if counts["BatchNormalization"] != BATCH_NORMS or outputs != {1}:
        sys.exit(f"expected {BATCH_NORMS} BatchNormalization nodes with one output each, found "
                 f"{counts['BatchNormalization']} with output counts {outputs}")


if __name__ == "__main__":
    main()
