#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Several images: in one file run by run, and as batches that share ciphertexts.
. "$(dirname "$0")/../support/cli.sh"
encrypted_net
"$sinter" run good.onnx --input x=data.npy --output plain >/dev/null
# compare FILE FIRST COUNT: the rows of FILE are those of the float32 run from FIRST on.
compare() {
  "$python" -c "
import sys, numpy as np
a, b = np.load(sys.argv[1]), np.load('plain/y.npy')[int(sys.argv[2]):][:int(sys.argv[3])]
assert a.shape == b.shape and (a.argmax(1) == b.argmax(1)).all(), (a, b)
assert np.abs(a - b).max() <= 1e-4 * np.abs(b).max(), (a, b)" "$@"
}
# round NET KEYS FIRST OPTIONS...: encrypt, infer, decrypt into y.npy.
round() {
  local net=$1 keys=$2
  shift 2
  "$sinter" encrypt "$net" --key "$keys.key" --input data.npy "$@" -o in.ct --json >sent.json
  "$sinter" infer "$net" --keys "$keys.keys" in.ct -o out.ct >/dev/null
  "$sinter" decrypt "$net" --key "$keys.key" out.ct -o y.npy >"$work/text"
}
cp server.keys client.keys
round net.sinter client --all
compare y.npy 0 4
grep -q "^ *3 " "$work/text" || fail "no row for image 3: $(cat "$work/text")"
round net.sinter client --index 1 --count 2
compare y.npy 1 2
refused 10 "--count 4" "$sinter" encrypt net.sinter --key client.key --input data.npy --index 1 \
  --count 4 -o x.ct
# A batch of two: half as many ciphertexts for the diagonals and keys of one image.
"$sinter" compile good.onnx --data data.npy --config scheme.yaml --batch 2 -o two.sinter --json \
  >two.json
"$sinter" compile good.onnx --data data.npy --config scheme.yaml --explain --json >one.json
"$sinter" keygen two.sinter --secret two.key --eval two.keys >/dev/null
round two.sinter two --all
compare y.npy 0 4
"$python" -c "
import json
one, two, sent = (json.load(open(f)) for f in ('one.json', 'two.json', 'sent.json'))
assert two['batch'] == 2 and sent['images'] == 4 and sent['ciphertexts'] == 2, (two, sent)
assert one['depth'] == two['depth'], (one['depth'], two['depth'])
for key in ('diagonals', 'keys'):
    assert two[key] <= 1.5 * one[key], (key, one[key], two[key])"
# Three images: the last run is half empty, and nobody sees the empty half.
round two.sinter two --count 3
compare y.npy 0 3
# Without options: one run's worth.
round two.sinter two --index 2
compare y.npy 2 2
# Files of the other program are refused by both sides.
refused 10 "in.ct: is of program" "$sinter" infer net.sinter --keys server.keys in.ct -o x.ct
refused 10 "out.ct: is of program" "$sinter" decrypt net.sinter --key client.key out.ct
refused 10 "--batch" "$sinter" compile good.onnx --data data.npy --config scheme.yaml --batch 3 -o x
refused 10 "batch" "$sinter" compile good.onnx --data data.npy --config scheme.yaml --batch 1024 -o x
shows "run of" "$sinter" compile good.onnx --data data.npy --config scheme.yaml --batch auto --explain
