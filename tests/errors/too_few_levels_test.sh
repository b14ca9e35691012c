#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A chain of primes that is too short: which layer, how many levels are short, what would help.
. "$(dirname "$0")/../support/cli.sh"
tiny deep
array data.npy 'rng.uniform(-1, 1, (4, 1, 8, 8)).astype("f4") / 64'
cat >scheme.yaml <<YAML
ckks: {log_n: 10, log_scale: 35, log_q: [45, 35, 35, 35], log_p: [45, 45], security: none_for_tests}
YAML
for text in "short" "node_" "What would help"; do
  refused 13 "$text" "$sinter" compile deep.onnx --data data.npy --config scheme.yaml -o net.sinter
done
