#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The whole encrypted path on a small network; the server's folder never holds the secret key.
. "$(dirname "$0")/../support/cli.sh"
encrypted_net
[ "$(stat -c %a client.key)" = 600 ] || fail "client.key has mode $(stat -c %a client.key)"
mkdir server
cp net.sinter server.keys input.ct server/
(cd server && "$sinter" infer net.sinter --keys server.keys input.ct -o result.ct --threads 2 >/dev/null)
shows "class" "$sinter" decrypt net.sinter --key client.key server/result.ct -o y.npy
"$sinter" run good.onnx --input x=image.npy --output plain >/dev/null
"$python" -c "
import numpy as np
a, b = np.load('y.npy'), np.load('plain/y.npy')
assert a.shape == b.shape and a.argmax() == b.argmax(), (a, b)
assert np.abs(a - b).max() <= 1e-4 * np.abs(b).max(), (a, b)"
cmp output.ct server/result.ct || fail "the result depends on the number of threads"
# Several ciphertexts in one call, into a folder, give the same results.
"$sinter" encrypt net.sinter --key client.key --input data.npy --index 2 -o second.ct >/dev/null
mkdir many
shows "second.out.ct" "$sinter" infer net.sinter --keys server.keys input.ct second.ct -o many
cmp output.ct many/input.out.ct || fail "the result depends on what else is computed"
# Neither do memory and groups change them; too little memory says what is needed.
mkdir few
shows '"runs_at_a_time": 1' "$sinter" infer net.sinter --keys server.keys input.ct second.ct -o few \
  --batch-size 1 --memory 1G --json
for name in input second; do cmp many/$name.out.ct few/$name.out.ct || fail "$name depends on its group"; done
refused 10 "memory: expected at least" "$sinter" infer net.sinter --keys server.keys input.ct -o x.ct --memory 1M
# Encryption is randomised.
"$sinter" encrypt net.sinter --key client.key --input image.npy -o again.ct >/dev/null
if cmp -s input.ct again.ct; then fail "two encryptions of one image are equal"; fi
# The scaling rule of the scheme is in the program: pixels need no flags.
array pixels.npy 'np.full((1, 1, 8, 8), 255, "u1")'
array ones.npy 'np.ones((1, 1, 8, 8), "f4")'
for name in pixels ones; do
  "$sinter" encrypt net.sinter --key client.key --input $name.npy -o $name.ct >/dev/null
  "$sinter" infer net.sinter --keys server.keys $name.ct -o $name.out.ct >/dev/null
  "$sinter" decrypt net.sinter --key client.key $name.out.ct -o $name.y.npy >/dev/null
done
"$python" -c "
import numpy as np
a, b = np.load('pixels.y.npy'), np.load('ones.y.npy')
assert np.abs(a - b).max() <= 1e-4 * np.abs(b).max(), (a, b)"
# --force replaces keys; --json and --explain of every step.
"$sinter" keygen net.sinter --secret client.key --eval server.keys --force --json >k.json
"$sinter" compile good.onnx --data data.npy --config scheme.yaml -o n2.sinter --explain --json >c.json
cmp net.sinter n2.sinter || fail "compile is not deterministic"
"$sinter" compile good.onnx --data data.npy --config scheme.yaml --no-fuse --json >u.json
"$python" -c "
import json
k, c, u = (json.load(open(f)) for f in ('k.json', 'c.json', 'u.json'))
assert k['log2_qp'] > 0 and c['layers'] and u['depth'] >= c['depth'] and not u['fused'], (k, c, u)"
shows "levels" "$sinter" compile good.onnx --data data.npy --config scheme.yaml --explain
