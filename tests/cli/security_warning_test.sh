#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Parameters for tests are said to be insecure by every step, on stderr and in --json; decrypt says
# in both forms that its numbers are not for publication.
. "$(dirname "$0")/../support/cli.sh"
encrypted_net
# warns COMMAND...: one warning line on stderr, and the same text as "security" of --json.
warns() {
  "$@" --json >out.json 2>err.txt || fail "exit code $?: $*"
  grep -q '^sinter: warning: NO SECURITY CLAIMED' err.txt || fail "no warning: $*"
  [ "$(wc -l <err.txt)" = 1 ] || fail "more than a warning: $(cat err.txt)"
  "$python" -c "
import json
assert json.load(open('out.json'))['security'].startswith('NO SECURITY CLAIMED')" || fail "$*"
}
warns "$sinter" keygen net.sinter --secret a.key --eval a.keys
warns "$sinter" encrypt net.sinter --key client.key --input image.npy -o a.ct
warns "$sinter" infer net.sinter --keys server.keys input.ct -o b.ct
warns "$sinter" decrypt net.sinter --key client.key output.ct
"$python" -c "
import json
assert 'Keep these numbers to yourself' in json.load(open('out.json'))['warning']"
shows "Keep these numbers to yourself" "$sinter" decrypt net.sinter --key client.key output.ct
# Parameters with a claim bring no warning.
cat >safe.yaml <<YAML
ckks: {log_n: 13, log_scale: 30, log_q0: 40, log_p: [40]}
YAML
"$sinter" compile good.onnx --data data.npy --config safe.yaml -o safe.sinter >/dev/null
"$sinter" keygen safe.sinter --secret safe.key --eval safe.keys >k.txt 2>err.txt
grep -q "128-bit" k.txt || fail "no security line: $(cat k.txt)"
[ ! -s err.txt ] || fail "unexpected: $(cat err.txt)"
