#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Wrong files, numbers and outputs, to every encrypted command: what was expected, what was found, the
# documented exit code, and a folder as it was before.
. "$(dirname "$0")/../support/cli.sh"
encrypted_net
"$sinter" keygen net.sinter --secret other.key --eval other.keys >/dev/null
"$sinter" encrypt net.sinter --key other.key --input image.npy -o other.ct >/dev/null
: >empty
truncated net.sinter half.sinter 100
truncated server.keys half.keys 5000
truncated client.key half.key 300
truncated input.ct half.ct 3000
array nan.npy 'np.where(np.arange(64).reshape(1, 1, 8, 8) == 5, np.nan, 0.5).astype("f4")'
array inf.npy 'np.where(np.arange(64).reshape(1, 1, 8, 8) == 5, np.inf, 0.5).astype("f8")'
array big.npy 'np.full((1, 1, 8, 8), 1e30, "f4")'
array shape.npy 'np.zeros((1, 3, 8, 8), "f4")'
array none.npy 'np.zeros((0, 1, 8, 8), "f4")'
array complex.npy 'np.zeros((1, 1, 8, 8), "c8")'
array dark.npy 'np.zeros((4, 1, 8, 8), "f4")'
array nandata.npy 'np.where(np.arange(256).reshape(4, 1, 8, 8) == 70, np.nan, 0.5).astype("f4")'
"$python" - <<'PYTHON'
import struct
model = open("good.onnx", "rb").read()
at = model.find(b"\x42\x01wJ") + 5  # the first weight of tensor "w"
for name in ("nan", "inf"):
    open(f"w{name}.onnx", "wb").write(model[:at] + struct.pack("<f", float(name)) + model[at + 4:])
open("control.txt", "wb").write(b"shirt\nbag\x1b[2J\n")
PYTHON
encrypt() { "$sinter" encrypt net.sinter --key client.key "$@"; }
infer() { "$sinter" infer net.sinter --keys server.keys "$@"; }
decrypt() { "$sinter" decrypt net.sinter --key client.key "$@"; }
compile() { "$sinter" compile good.onnx --data data.npy --config scheme.yaml "$@"; }
debug() { "$sinter" debug net.sinter --key client.key --eval server.keys "$@"; }

# Images that are none, or of other values and shapes than the program's.
refused 11 "holds nan at element 5" encrypt --input nan.npy -o x.ct
refused 11 "holds inf at element 5" encrypt --input inf.npy -o x.ct
refused 11 "compiled for values up to" encrypt --input big.npy -o x.ct
refused 10 "has shape [images,1,8,8]" encrypt --input shape.npy -o x.ct
refused 10 "holds 0 images" encrypt --input none.npy -o x.ct
refused 12 "element type <c8" encrypt --input complex.npy -o x.ct
refused 11 "empty file" encrypt --input empty -o x.ct
for path in net.sinter server.keys good.onnx; do refused 11 "expected a PNG" encrypt --input $path -o x.ct; done
for path in . /dev/zero; do refused 14 "not a regular file" encrypt --input $path -o x.ct; done
refused 14 "cannot open" encrypt --input - -o x.ct
refused 10 "--index 4" encrypt --input data.npy --index 4 -o x.ct
refused 2 "expected a number >= 0, found '-1'" encrypt --input data.npy --index -1 -o x.ct
refused 2 "expected a number >= 1, found '0'" encrypt --input data.npy --count 0 -o x.ct

# One kind of file in the place of another; cut ones.
for path in empty half.sinter client.key good.onnx; do
  refused 11 "$path: expected" "$sinter" encrypt $path --key client.key --input image.npy -o x.ct
  refused 11 "$path: expected" "$sinter" keygen $path --secret x.key --eval x.keys
done
for path in empty net.sinter server.keys input.ct; do
  refused 11 "$path: expected a secret key" "$sinter" encrypt net.sinter --key $path --input image.npy -o x.ct
  refused 11 "$path: expected a secret key" "$sinter" decrypt net.sinter --key $path output.ct -o x.npy
done
refused 11 "half.key: truncated" "$sinter" decrypt net.sinter --key half.key output.ct -o x.npy
for path in empty client.key net.sinter input.ct; do
  refused 11 "$path: expected" "$sinter" infer net.sinter --keys $path input.ct -o x.ct
  refused 11 "$path: expected" "$sinter" expand-keys net.sinter $path -o x.keys
done
refused 11 "half.keys: truncated" "$sinter" infer net.sinter --keys half.keys input.ct -o x.ct
for path in empty client.key net.sinter server.keys; do
  refused 11 "$path: expected a file of ciphertexts" infer $path -o x.ct
  refused 11 "$path: expected a file of ciphertexts" decrypt $path -o x.npy
done
refused 11 "half.ct: truncated" infer half.ct -o x.ct
refused 10 "use the files of one keygen" infer other.ct -o x.ct
refused 10 "use the files of one keygen" "$sinter" infer net.sinter --keys other.keys input.ct -o x.ct
refused 10 "found level 0" infer output.ct -o x.ct
refused 10 "expected a result of this program" decrypt input.ct -o x.npy
refused 10 "under another secret key" "$sinter" decrypt net.sinter --key other.key output.ct -o x.npy
refused 11 "no text in line 2" decrypt output.ct --labels control.txt

# Numbers that are none. NaN is within no bounds: not those of flooding above all.
for value in nan 0 41 x; do refused 2 "expected a number from 1 to 40" decrypt output.ct --publish $value; done
for value in nan inf -3; do
  refused 2 "expected a number >= 0" infer input.ct -o x.ct --bits $value
  refused 2 "expected a number >= 0" debug --input image.npy --bits $value
  refused 2 "expected a number >= 0" compile -o x.sinter --key-weight $value
done
for value in 0 -1 2000 x; do refused 2 "expected a number from 1 to 1024" infer input.ct -o x.ct --threads $value; done
refused 2 "expected a number from 1 to 256" infer input.ct -o x.ct --workers 0
refused 2 "expected a number > 0" infer input.ct -o x.ct --worker-timeout 0
for value in -5G abc 1Z; do refused 2 "expected a size" infer input.ct -o x.ct --memory $value; done
refused 10 "memory: expected at least" infer input.ct -o x.ct --memory 1K
refused 2 "expected a number from 1 to 60" compile -o x.sinter --bits nan

# Models and calibration data.
refused 11 'the weight "w" of the model holds nan at element 0' "$sinter" compile wnan.onnx --data data.npy \
  --config scheme.yaml -o x.sinter
refused 11 'the weight "w" of the model holds inf' "$sinter" compile winf.onnx --data data.npy \
  --config scheme.yaml -o x.sinter
refused 10 "wnan.onnx: is not the network" debug --input image.npy --model wnan.onnx
refused 11 "holds nan at element 6" "$sinter" compile good.onnx --data nandata.npy --config scheme.yaml -o x.sinter
refused 11 "nothing but zeros" "$sinter" compile good.onnx --data dark.npy --config scheme.yaml -o x.sinter
refused 10 "at least one calibration image" "$sinter" compile good.onnx --data none.npy --config scheme.yaml -o x

# Outputs: folders, streams, names of inputs; a disk that is full half-way.
ln -s /proc/self/fd/1 stream
mkfifo pipe
long=$(printf 'n%.0s' $(seq 300))
for output in no/x . pipe /proc/x "$long" stream /dev/fd/1; do
  refused 14 "cannot write" encrypt --input image.npy -o "$output"
  refused 14 "cannot write" decrypt output.ct -o "$output"
  refused 14 "cannot write" compile -o "$output"
done
rm stream pipe
refused 10 "found '-'" encrypt --input image.npy -o -
refused 10 "found '-'" infer input.ct -o -
refused 10 "found '-'" "$sinter" keygen net.sinter --secret - --eval x.keys
refused 10 "found an empty one" encrypt --input image.npy -o ""
for output in image.npy client.key net.sinter; do refused 10 "$output" encrypt --input image.npy -o $output; done
for output in input.ct server.keys net.sinter client.key; do refused 10 "$output" infer input.ct -o $output; done
full() (
  trap '' XFSZ
  ulimit -f 8 # KiB or half of it: less than a ciphertext or a key file
  "$@"
)
refused 14 "cannot write" full "$sinter" encrypt net.sinter --key client.key --input image.npy -o x.ct
refused 14 "cannot write" full "$sinter" keygen net.sinter --secret x.key --eval x.keys
refused 14 "cannot write" full "$sinter" infer net.sinter --keys server.keys input.ct -o x.ct

# Names of any kind are names.
encrypt --input image.npy -o 'üñí☃ name.ct' >/dev/null
infer 'üñí☃ name.ct' -o './-' >/dev/null
shows "class" decrypt ./-
