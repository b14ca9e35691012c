#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Operators and opsets that sinter does not know pass through `inspect` and `optimize`; what needs
# their meaning says which node it is.
. "$(dirname "$0")/../support/cli.sh"
for model in unknown_op new_opset; do
  tiny $model
  "$sinter" inspect $model.onnx >inspect.txt
  "$sinter" optimize $model.onnx -o out.onnx >/dev/null
  "$sinter" inspect out.onnx >/dev/null
done
refused 12 "Frobnicate" "$sinter" optimize unknown_op.onnx --verify 4
