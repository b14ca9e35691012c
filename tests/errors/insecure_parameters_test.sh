#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Parameters below 128 bits are refused unless asked for by name, and then said to be insecure.
. "$(dirname "$0")/../support/cli.sh"
tiny good
array data.npy 'rng.uniform(-1, 1, (4, 1, 8, 8)).astype("f4")'
cat >scheme.yaml <<YAML
ckks: {log_n: 11, log_scale: 35, log_q: [45, 35, 35, 35, 35], log_p: [45]}
YAML
refused 10 "128-bit" "$sinter" compile good.onnx --data data.npy --config scheme.yaml -o net.sinter
refused 10 "53" "$sinter" compile good.onnx --data data.npy --config scheme.yaml -o net.sinter
scheme scheme.yaml
shows "test" "$sinter" compile good.onnx --data data.npy --config scheme.yaml -o net.sinter
