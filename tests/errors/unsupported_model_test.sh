#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Operators and opsets that sinter does not know: the message names node, operator and opset.
. "$(dirname "$0")/../support/cli.sh"
tiny unknown_op
refused 12 "node_r" "$sinter" inspect unknown_op.onnx
refused 12 "Frobnicate" "$sinter" optimize unknown_op.onnx -o out.onnx
tiny new_opset
refused 12 "99" "$sinter" inspect new_opset.onnx
refused 12 "7 to 17" "$sinter" optimize new_opset.onnx -o out.onnx
