#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Keys and ciphertexts that belong to another program or another client.
. "$(dirname "$0")/../support/cli.sh"
encrypted_net
sed 's/log_scale: 35/log_scale: 34/' scheme.yaml >scheme34.yaml
"$sinter" compile good.onnx --data data.npy --config scheme34.yaml -o net34.sinter >/dev/null
refused 11 "client.key" "$sinter" encrypt net34.sinter --key client.key --input image.npy -o x.ct
refused 11 "input.ct" "$sinter" infer net34.sinter --keys server.keys input.ct -o x.ct
"$sinter" keygen net34.sinter --secret client34.key --eval server34.keys >/dev/null
"$sinter" encrypt net34.sinter --key client34.key --input image.npy -o input34.ct >/dev/null
refused 11 "server.keys" "$sinter" infer net34.sinter --keys server.keys input34.ct -o x.ct
refused 11 "client.key" "$sinter" decrypt net34.sinter --key client.key output.ct -o x.npy
refused 11 "client.key" "$sinter" infer net.sinter --keys client.key input.ct -o x.ct
refused 11 "server.keys" "$sinter" decrypt net.sinter --key server.keys output.ct -o x.npy
"$sinter" keygen net.sinter --secret other.key --eval other.keys >/dev/null
refused 10 "key" "$sinter" decrypt net.sinter --key other.key output.ct -o x.npy
# Evaluation keys of another client: refused by infer, at the latest when its result is decrypted.
if "$sinter" infer net.sinter --keys other.keys input.ct -o mixed.ct >/dev/null 2>&1; then
  refused 10 "key" "$sinter" decrypt net.sinter --key client.key mixed.ct -o x.npy
fi
refused 10 "expected a result of this program" "$sinter" decrypt net.sinter --key client.key input.ct
refused 10 "level" "$sinter" infer net.sinter --keys server.keys output.ct -o x.ct
# A result that is intact as a file and garbage inside: its last residues are zero.
"$python" -c "
import hashlib
data = bytearray(open('output.ct', 'rb').read())
data[-4096:] = bytes(4096)
entry = 64 + int.from_bytes(data[24:32], 'little')  # behind the header and the index
digest = hashlib.sha256(data[entry + 64:]).digest()
data[entry + 32:entry + 64] = data[64 + 48:64 + 80] = digest
data[32:64] = hashlib.sha256(data[64:entry]).digest()
open('garbage.ct', 'wb').write(data)"
for text in "decrypts to noise" "too little precision" "outside the range of the calibration data"; do
  refused 10 "$text" "$sinter" decrypt net.sinter --key client.key garbage.ct -o x.npy
done
