#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# pcnn-fashion's model.onnx through onnxruntime, 100 test images: the logits of PyTorch in double within
# 1e-5 of the largest one. Then the same with every input one grey level brighter, which must be noticed.
# Exit 77 when node or onnxruntime-node is missing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
model=$here/../../models/pcnn-fashion
command -v node > /dev/null || exit 77

node "$here/ort_compare.mjs" "$model/model.onnx" "$model/test200.npy" "$model/expected_f64.npy" \
  --count 100 --tolerance 1e-5

# 0.0078 is one grey level.
status=0
node "$here/ort_compare.mjs" "$model/model.onnx" "$model/test200.npy" "$model/expected_f64.npy" \
  --count 10 --tolerance 1e-5 --offset=-0.9922 > /dev/null || status=$?
if [ "$status" -ne 1 ]; then
  echo "pcnn_fashion: expected exit 1 for shifted inputs, found $status" >&2
  exit 1
fi
