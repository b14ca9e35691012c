#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A BatchNormalization that fusion left over is refused by name, and accepted when asked to pay.
. "$(dirname "$0")/../support/cli.sh"
tiny left_affine
array data.npy 'rng.uniform(-1, 1, (4, 1, 8, 8)).astype("f4")'
scheme scheme.yaml
refused 10 "node_n" "$sinter" compile left_affine.onnx --data data.npy --config scheme.yaml -o net.sinter
shows "net.sinter" "$sinter" compile left_affine.onnx --data data.npy --config scheme.yaml \
  --pay-for-affine -o net.sinter
