#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `sinter debug` and reports of programs that bootstrap, take several ciphertexts or several images:
# every layer is named and compared with the network, and the layer that loses precision is found.
. "$(dirname "$0")/../support/cli.sh"
tiny branches
array data.npy 'rng.uniform(-1, 1, (4, 1, 8, 8)).astype("f4")'
cat >long.yaml <<'YAML'
ckks: {log_n: 10, log_scale: 40, log_q0: 48, log_p: [48, 48, 48, 48, 48, 48], security: none_for_tests}
compile: {margin: 1.5}
YAML
sed 's/log_q0: 48/secret: {hamming: 64}, log_q: [48, 40, 40, 40, 40, 40]/' long.yaml >short.yaml

# round NAME SCHEME BOOTSTRAPS CIPHERTEXTS OPTIONS...: compile, debug, infer; checks the documents.
round() {
  local name=$1 scheme=$2 bootstraps=$3 ciphertexts=$4
  shift 4
  "$sinter" compile branches.onnx --data data.npy --config "$scheme" -o net.sinter "$@" --html "$name.html" \
    --json >plan.json
  "$sinter" keygen net.sinter --secret client.key --eval server.keys --force >/dev/null
  local debug=("$sinter" debug net.sinter --key client.key --eval server.keys --input data.npy --index 1
    --model branches.onnx --bits 28)
  shows "lost most   in layer" "${debug[@]}"
  "${debug[@]}" --json --html debug.html >debug.json
  "$sinter" encrypt net.sinter --key client.key --input data.npy -o in.ct >/dev/null
  "$sinter" infer net.sinter --keys server.keys in.ct -o out.ct --report run.json --html run.html >/dev/null
  "$python" - "$bootstraps" "$ciphertexts" <<'PYTHON'
import json, sys
bootstraps, ciphertexts = map(int, sys.argv[1:])
plan, debug, run = (json.load(open(f)) for f in ("plan.json", "debug.json", "run.json"))
layers = debug["layers"]
refreshed = [l for l, layer in enumerate(layers) if layer["op"] == "Bootstrap"]
assert len(refreshed) == bootstraps and debug["ciphertexts"] == ciphertexts, (refreshed, debug["ciphertexts"])
for layer in layers:  # the network has a value for every one of them, bootstraps included
    assert layer["network_error"] < 1e-6 and layer["network_value"], layer
    assert layer["measured_bits"] > layer["predicted_bits"] - 4, layer
    assert layer["measured_error"] < 1e-6, layer
assert debug["model_error"] < 1e-6, debug["model_error"]
if bootstraps:  # where bits are lost, and which layer is the first below 28
    assert debug["layer_that_loses_most"] in refreshed and debug["first_layer_below"] == refreshed[0], debug
    assert all(layers[l]["lost_bits"] > 5 for l in refreshed), layers
    most = max(l["key_bytes"] for l in layers if l["op"] != "Bootstrap")
    assert all(layers[l]["key_bytes"] > most for l in refreshed), [l["key_bytes"] for l in layers]
else:
    assert debug["first_layer_below"] == -1 and debug["layer_that_loses_most"] >= 0, debug
for report in (plan, debug, run):
    assert report["joins"] or ciphertexts == 1, report["joins"]
    assert all(j["arms"][0]["level"] == j["arms"][1]["level"] for j in report["joins"]), report["joins"]
    assert all("predicted_bits" in layer for layer in report["layers"])
assert all(s["anonymous_bytes"] > 0 for s in run["runs"][0]["instructions"])
pages = [open(f).read() for f in ("debug.html", "run.html")]
assert all(("%d bootstrap" % bootstraps) in page for page in pages), "bootstraps in the words"
assert "measured" in pages[0] and "Memory over time" in pages[1]
PYTHON
}
round packed long.yaml 0 1
round separate long.yaml 0 2 --packing separate
round bootstrap short.yaml 1 1
round bootstraps short.yaml 2 2 --packing separate --batch 2
round batch short.yaml 1 1 --batch auto
# A black image: what it is in the first layer has no bits, and everything else is there.
array black.npy 'np.zeros((1, 1, 8, 8), "f4")'
shows "lost most   in layer" "$sinter" debug net.sinter --key client.key --eval server.keys --input black.npy \
  --html black.html
