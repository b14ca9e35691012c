#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A network with an operator that has no encrypted form: names the node and what would work.
. "$(dirname "$0")/../support/cli.sh"
tiny relu
array data.npy 'rng.uniform(-1, 1, (4, 1, 8, 8)).astype("f4")'
scheme scheme.yaml
refused 12 "node_r" "$sinter" compile relu.onnx --data data.npy --config scheme.yaml -o net.sinter
refused 12 "HerPN" "$sinter" compile relu.onnx --data data.npy --config scheme.yaml -o net.sinter
