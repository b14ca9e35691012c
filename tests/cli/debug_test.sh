#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `sinter debug` compares layer by layer on the client's side, and refuses files that do not belong
# together.
. "$(dirname "$0")/../support/cli.sh"
encrypted_net
debug=("$sinter" debug net.sinter --key client.key --eval server.keys --input image.npy)
shows "largest error" "${debug[@]}" --model good.onnx
shows "in float32 by at most" "${debug[@]}" --model good.onnx
shows "secret key" "${debug[@]}"
shows "is the first below 60 bits" "${debug[@]}" --bits 60
shows "needs the" "$sinter" debug --help
"${debug[@]}" --model good.onnx --json --html debug.html >debug.json 2>/dev/null
"$python" - <<'PYTHON'
import json
report = json.load(open("debug.json"))
for layer in report["layers"]:
    assert layer["measured_error"] < 1e-3 * max(1, layer["measured_largest"]), layer
    assert layer["measured_bits"] > 10, layer
    # What simulation predicts is what the run shows, within two bits, for values as large.
    assert layer["measured_bits"] > layer["predicted_bits"] - 6, layer
known = [layer for layer in report["layers"] if "network_error" in layer]
assert len(known) >= 3 and known[-1]["network_value"] == "y", known
for layer in known:
    assert layer["network_error"] < 1e-3 * max(1, layer["measured_largest"]), layer
assert report["model_error"] < 1e-3 and "secret" in report["warning"], report
text = open("debug.html").read()
assert "measured" in text and "Keep them with the key" in text
PYTHON
# Files of other clients and programs.
"$sinter" keygen net.sinter --secret other.key --eval other.keys >/dev/null 2>&1
refused 10 "use the files of one keygen" "$sinter" debug net.sinter --key client.key --eval other.keys --input image.npy
refused 10 "use the files of one keygen" "$sinter" debug net.sinter --key other.key --eval server.keys --input image.npy
sed 's/log_scale: 35/log_scale: 34/' scheme.yaml >scheme34.yaml
"$sinter" compile good.onnx --data data.npy --config scheme34.yaml -o net34.sinter >/dev/null 2>&1
refused 11 "client.key" "$sinter" debug net34.sinter --key client.key --eval server.keys --input image.npy
tiny other
refused 10 "is not the network of net.sinter" "${debug[@]}" --model other.onnx
refused 11 "" "$sinter" debug net.sinter --key server.keys --eval client.key --input image.npy
refused 10 "--index 3" "${debug[@]}" --index 3
for path in client.key server.keys net.sinter image.npy; do
  refused 10 "" "${debug[@]}" --html "$path"
done
