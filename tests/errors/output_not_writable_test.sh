#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Outputs whose folder is missing or is a file, for every command that writes.
. "$(dirname "$0")/../support/cli.sh"
encrypted_net
echo >file
for place in missing/x file/x; do
  refused 14 "$place" "$sinter" optimize good.onnx -o "$place"
  refused 14 "$place" "$sinter" optimize good.onnx --report "$place"
  refused 14 "$place" "$sinter" compile good.onnx --data data.npy --config scheme.yaml -o "$place"
  refused 14 "$place" "$sinter" keygen net.sinter --secret "$place" --eval e.keys
  refused 14 "$place" "$sinter" keygen net.sinter --secret s.key --eval "$place"
  refused 14 "$place" "$sinter" encrypt net.sinter --key client.key --input image.npy -o "$place"
  refused 14 "$place" "$sinter" infer net.sinter --keys server.keys input.ct -o "$place"
  refused 14 "$place" "$sinter" decrypt net.sinter --key client.key output.ct -o "$place"
done
refused 14 "file/x: cannot create the folder" "$sinter" run good.onnx --input x=image.npy --output file/x
refused 14 "box: cannot write: it is a folder" "$sinter" encrypt net.sinter --key client.key \
  --input image.npy -o "$PWD"
