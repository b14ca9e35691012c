# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the tests of the command. Takes the path of sinter as $1 of the test, makes a folder of
# its own, enters it, and removes it at the end.
set -euo pipefail
sinter=$(realpath "$1")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
python=${PYTHON:-/usr/bin/python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir box && cd box

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

# Names, sizes and contents of everything in the folder.
contents() { find . -mindepth 1 \( -type f -exec sha256sum {} + \) -o -print | sort; }

# refused CODE TEXT COMMAND...: the command exits with CODE, prints nothing on stdout and one line
# `sinter: error: ...` on stderr that holds TEXT, then hints only, and leaves the folder as it was.
refused() {
  local code=$1 text=$2 found=0 before
  shift 2
  before=$(contents)
  "$@" >"$work/stdout" 2>"$work/stderr" || found=$?
  [ "$found" = "$code" ] || fail "exit code $found, expected $code: $* : $(cat "$work/stderr")"
  head -n 1 "$work/stderr" | grep -q '^sinter: error: ' || fail "no error line: $(cat "$work/stderr")"
  head -n 1 "$work/stderr" | grep -qF -- "$text" ||
    fail "expected '$text' in: $(head -n 1 "$work/stderr")"
  if tail -n +2 "$work/stderr" | grep -v '^sinter: hint: ' >&2; then fail "more than hints follow"; fi
  [ ! -s "$work/stdout" ] || fail "something on stdout: $(cat "$work/stdout")"
  [ "$before" = "$(contents)" ] || fail "the folder changed: $* : $(contents)"
}

# shows TEXT COMMAND...: the command succeeds and prints TEXT.
shows() {
  local text=$1
  shift
  "$@" >"$work/stdout" 2>"$work/stderr" || fail "exit code $?: $* : $(cat "$work/stderr")"
  grep -qF -- "$text" "$work/stdout" || fail "expected '$text' in the output of $*: $(cat "$work/stdout")"
}

tiny() { "$python" "$root/tests/support/tiny_onnx.py" "$1" "${2:-$1.onnx}"; }

# array FILE EXPRESSION: numpy.save of the expression; np and rng are there.
array() {
  "$python" -c "
import sys, numpy as np
rng = np.random.default_rng(5)
np.save(sys.argv[1], $2)" "$1"
}

# A scheme small enough for tests; arguments are `section: {...}` lines that replace its own.
scheme() {
  cat >"$1" <<YAML
ckks: {log_n: 10, log_scale: 35, log_q0: 45, log_p: [45, 45], security: none_for_tests}
input: {scale: 0.00784313725490196, offset: -1.0}
YAML
}

# A compiled tiny network with its keys, an input and its result.
encrypted_net() {
  tiny good
  array data.npy 'rng.uniform(-1, 1, (4, 1, 8, 8)).astype("f4")'
  array image.npy 'rng.uniform(-1, 1, (1, 1, 8, 8)).astype("f4")'
  scheme scheme.yaml
  "$sinter" compile good.onnx --data data.npy --config scheme.yaml -o net.sinter >/dev/null
  "$sinter" keygen net.sinter --secret client.key --eval server.keys >/dev/null
  "$sinter" encrypt net.sinter --key client.key --input image.npy -o input.ct >/dev/null
  "$sinter" infer net.sinter --keys server.keys input.ct -o output.ct >/dev/null
}

# first_result PID: waits for a first result out/c*.out.ct of a process that writes them.
first_result() {
  until compgen -G 'out/c*.out.ct' >/dev/null; do
    kill -0 "$1" 2>/dev/null || fail "the process ended without a result: $(cat err.txt)"
    sleep 0.01
  done
}

# damaged FROM TO POSITION: a copy with one bit flipped; negative positions count from the end.
damaged() {
  "$python" -c "
import sys
data = bytearray(open(sys.argv[1], 'rb').read())
data[int(sys.argv[3])] ^= 1
open(sys.argv[2], 'wb').write(data)" "$1" "$2" "$3"
}

# truncated FROM TO BYTES
truncated() { head -c "$3" "$1" >"$2"; }
