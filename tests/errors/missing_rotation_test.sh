#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Evaluation keys of another program with the same parameters lack a rotation: the message names it.
. "$(dirname "$0")/../support/cli.sh"
encrypted_net
tiny other
"$sinter" compile other.onnx --data data.npy --config scheme.yaml -o other.sinter >/dev/null
"$sinter" encrypt other.sinter --key client.key --input image.npy -o other.ct >/dev/null
refused 10 "rotation" "$sinter" infer other.sinter --keys server.keys other.ct -o x.ct
