#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The code of the server cannot name the secret key: by its includes, through every header.
. "$(dirname "$0")/../support/cli.sh"
refuse_in() {
  if grep -nE "$1" "${@:2}"; then fail "the server's code names the secret key"; fi
}
refuse_in 'secret_key\.h|SecretKey|decrypt\(' "$root"/apps/cli/infer.cpp "$root"/apps/cli/files.* \
  "$root"/src/encrypted/execute.*
for file in apps/cli/infer.cpp src/encrypted/execute.cpp; do
  reached=$("$python" "$root/tools/check_layers.py" --closure "$file")
  printf '%s\n' "$reached" | grep -q 'src/ckks/evaluate.h' || fail "$file: closure is empty"
  if printf '%s\n' "$reached" | grep -n 'secret_key'; then fail "$file reaches the secret key"; fi
done
