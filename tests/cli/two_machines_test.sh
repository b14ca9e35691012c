#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Client and server as two machines: each folder holds only what it may have, and while one works
# the other is away. Then every mixture of two clients, two programs and two sets of parameters:
# refused by the command that meets it, with a message that says whose file it is.
. "$(dirname "$0")/../support/cli.sh"
for kind in good other; do tiny $kind; done
array data.npy 'rng.uniform(-1, 1, (4, 1, 8, 8)).astype("f4")'
array image.npy 'rng.uniform(-1, 1, (1, 1, 8, 8)).astype("f4")'
scheme scheme.yaml
sed 's/log_scale: 35/log_scale: 34/' scheme.yaml >scheme34.yaml
# The maker of the programs has the models and the data; nobody else does.
mkdir maker alice bob server
mv good.onnx other.onnx data.npy scheme.yaml scheme34.yaml maker/
(
  cd maker
  "$sinter" compile good.onnx --data data.npy --config scheme.yaml -o net.sinter
  "$sinter" compile other.onnx --data data.npy --config scheme.yaml -o other.sinter
  "$sinter" compile good.onnx --data data.npy --config scheme34.yaml -o net34.sinter
) >/dev/null 2>&1

# at PLACE COMMAND...: runs there; every other place is away meanwhile.
at() {
  local place=$1 code=0
  shift
  mv "$place" "$work/$place"
  mv "$work/box" "$work/away"
  (cd "$work/$place" && "$@") || code=$?
  mv "$work/away" "$work/box"
  mv "$work/$place" "$work/box/$place"
  cd "$work/box"
  return $code
}

# only FILES... PLACE: the folder holds these files and nothing else.
only() {
  local place=${*: -1} wanted found
  wanted=$(printf '%s\n' "${@:1:$#-1}" | sort)
  found=$(ls "$place" | sort)
  [ "$wanted" = "$found" ] || fail "$place holds $(echo $found), expected $(echo $wanted)"
}

for client in alice bob; do
  cp maker/net.sinter image.npy $client/
  at $client "$sinter" keygen net.sinter --secret client.key --eval $client.keys >/dev/null 2>&1
  at $client "$sinter" encrypt net.sinter --key client.key --input image.npy -o $client.ct >/dev/null 2>&1
  cp $client/$client.keys $client/$client.ct server/
done
cp maker/net.sinter server/
only net.sinter alice.keys alice.ct bob.keys bob.ct server
for client in alice bob; do
  at server "$sinter" infer net.sinter --keys $client.keys $client.ct -o $client.out.ct --report $client.json >/dev/null 2>&1
  at server "$sinter" expand-keys net.sinter $client.keys >/dev/null 2>&1
  at server "$sinter" infer net.sinter --keys $client.keys $client.ct -o mapped.ct >/dev/null 2>&1
  cmp server/$client.out.ct server/mapped.ct || fail "mapped keys give another result"
  cp server/$client.out.ct $client/
  only net.sinter image.npy client.key $client.keys $client.ct $client.out.ct $client
  at $client "$sinter" decrypt net.sinter --key client.key $client.out.ct -o y.npy >/dev/null 2>&1
done
"$sinter" run maker/good.onnx --input x=image.npy --output plain >/dev/null
"$python" - <<'PYTHON'
import numpy as np
plain = np.load("plain/y.npy")
for client in "alice", "bob":
    y = np.load(client + "/y.npy")
    assert np.abs(y - plain).max() <= 1e-4 * np.abs(plain).max(), (client, y, plain)
PYTHON
# What the server got names no secret: neither key file is a part of anything in its folder.
"$python" - <<'PYTHON'
import pathlib
for client in "alice", "bob":
    secret = pathlib.Path(client, "client.key").read_bytes()
    body = secret[64:]
    for path in pathlib.Path("server").iterdir():
        assert body[-64:] not in path.read_bytes(), path
PYTHON

# Everything in one folder, and every mixture.
mkdir mixed
cp alice/client.key mixed/alice.key
cp bob/client.key mixed/bob.key
cp server/*.keys server/*.ct maker/*.sinter image.npy maker/good.onnx maker/other.onnx mixed/
cd mixed
"$sinter" keygen other.sinter --secret other.key --eval other.keys >/dev/null 2>&1
"$sinter" keygen net34.sinter --secret k34.key --eval k34.keys >/dev/null 2>&1
"$sinter" encrypt other.sinter --key alice.key --input image.npy -o alice.other.ct >/dev/null 2>&1
"$sinter" encrypt other.sinter --key other.key --input image.npy -o other.ct >/dev/null 2>&1
"$sinter" infer other.sinter --keys other.keys other.ct -o other.out.ct >/dev/null 2>&1
"$sinter" encrypt net34.sinter --key k34.key --input image.npy -o k34.ct >/dev/null 2>&1
"$sinter" infer net34.sinter --keys k34.keys k34.ct -o k34.out.ct >/dev/null 2>&1
infer() { "$sinter" infer "$1" --keys "$2" "$3" -o x.ct; }
decrypt() { "$sinter" decrypt "$1" --key "$2" "$3" -o x.npy; }
# Another client.
refused 10 "the files of one keygen" infer net.sinter bob.keys alice.ct
refused 10 "the files of one keygen" infer net.sinter alice.keys bob.ct
refused 10 "another secret key" decrypt net.sinter bob.key alice.out.ct
# Another program with the same parameters.
refused 10 "program" infer net.sinter alice.keys alice.other.ct
refused 10 "key for rotation" infer other.sinter alice.keys alice.other.ct
refused 10 "alice.ct: is of program" infer other.sinter other.keys alice.ct
refused 10 "program" decrypt net.sinter other.key other.out.ct
refused 10 "program" decrypt other.sinter alice.key alice.out.ct
# Other parameters: each command, each kind of file.
refused 11 "alice.key" "$sinter" encrypt net34.sinter --key alice.key --input image.npy -o x.ct
refused 11 "alice.keys" infer net34.sinter alice.keys k34.ct
refused 11 "alice.ct" infer net34.sinter k34.keys alice.ct
refused 11 "alice.keys" "$sinter" expand-keys net34.sinter alice.keys -o x.keys
refused 11 "alice.key" decrypt net34.sinter alice.key k34.out.ct
refused 11 "alice.out.ct" decrypt net34.sinter k34.key alice.out.ct
# One stage's file in another's place.
refused 11 "alice.key" infer net.sinter alice.key alice.ct
refused 11 "alice.ct" infer net.sinter alice.ct alice.ct
refused 11 "alice.keys" infer net.sinter alice.keys alice.keys
refused 11 "alice.keys" decrypt net.sinter alice.keys alice.out.ct
refused 11 "alice.ct" "$sinter" keygen alice.ct --secret x.key --eval x.keys
refused 11 "good.onnx" infer good.onnx alice.keys alice.ct
refused 10 "" infer net.sinter alice.keys alice.out.ct
refused 10 "expected a result of this program" decrypt net.sinter alice.key alice.ct
