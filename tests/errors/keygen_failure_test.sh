#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# keygen puts both files in place or neither: whatever fails, the old keys stay as they were.
. "$(dirname "$0")/../support/cli.sh"
encrypted_net
# /proc is a folder in which nobody, not even root, makes files: only trying tells.
for place in /proc/x missing/x; do
  refused 14 "$place: cannot write" "$sinter" keygen net.sinter --secret "$place" --eval server.keys --force
  refused 14 "$place: cannot write" "$sinter" keygen net.sinter --secret client.key --eval "$place" --force
done
# Found out before any work: the program that is missing is not even opened.
refused 14 "/proc/x: cannot write" "$sinter" keygen none.sinter --secret /proc/x --eval e.keys
refused 14 "/proc/x: cannot write" "$sinter" compile none.onnx --data data.npy -o /proc/x
refused 14 "/proc/x: cannot write" "$sinter" optimize none.onnx -o /proc/x
refused 14 "/proc/x: cannot write" "$sinter" infer none.sinter --keys server.keys input.ct -o /proc/x
mkfifo pipe
refused 14 "pipe: cannot write: it is not a regular file" "$sinter" decrypt net.sinter \
  --key client.key output.ct -o pipe
# The evaluation keys do not fit: files may be a few blocks long, the secret key is shorter.
short_files() { bash -c 'trap "" XFSZ && ulimit -f 4 && exec "$@"' short_files "$@"; }
refused 14 "cannot write" short_files "$sinter" keygen net.sinter --secret client.key --eval server.keys --force
refused 14 "cannot write" short_files "$sinter" keygen net.sinter --secret new.key --eval new.keys
# What succeeds leaves two files, the right modes and nothing beside them.
mkdir fresh
"$sinter" keygen net.sinter --secret fresh/a.key --eval fresh/b.keys >/dev/null 2>&1
"$sinter" keygen net.sinter --secret fresh/a.key --eval fresh/b.keys --force >/dev/null 2>&1
[ "$(ls -A fresh)" = "$(printf 'a.key\nb.keys')" ] || fail "left behind: $(ls -A fresh)"
[ "$(stat -c %a fresh/a.key)" = 600 ] || fail "a.key has mode $(stat -c %a fresh/a.key)"
