#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# inspect and optimize on a small model: tables, text form, report, verification, JSON.
. "$(dirname "$0")/../support/cli.sh"
tiny good
shows "[N,1,8,8]" "$sinter" inspect good.onnx
shows "AveragePool" "$sinter" inspect good.onnx
shows "y = Gemm(" "$sinter" inspect good.onnx --text
shows "verified on 4 random inputs" "$sinter" optimize good.onnx -o fused.onnx --verify 4 \
  --report r.json --explain --certificate c.json
shows "y" "$sinter" inspect fused.onnx
for command in "inspect good.onnx" "inspect --operators" "optimize good.onnx" "optimize --list" \
  "optimize good.onnx --skip fuse_herpn,fold_constants"; do
  # shellcheck disable=SC2086
  "$sinter" $command --json | "$python" -c "import json, sys; json.load(sys.stdin)" || fail "$command: JSON"
done
"$python" -c "
import json
r = json.load(open('r.json'))
assert r['verification']['accepted'], r
assert r['nodes_after'] <= r['nodes_before'], r
assert r['operators_before'] == {'Conv': 1, 'Mul': 1, 'AveragePool': 1, 'Flatten': 1, 'Gemm': 1}, r
"
"$python" -c "
import hashlib, json
c = json.load(open('c.json'))
for model, path in ('original', 'good.onnx'), ('optimized', 'fused.onnx'):
    assert c[model]['sha256'] == hashlib.sha256(open(path, 'rb').read()).hexdigest(), c
assert c['verification']['accepted'] and c['verification']['samples'] == 4, c
assert all('bound' in output for output in c['verification']['outputs']), c
assert c['rules'] and c['rolled_back'] == 0, c
assert all(r['equal'] + r['known'] + r['skipped'] == r['rewrites'] for r in c['rules']), c
"
shows "pass" "$sinter" optimize good.onnx --certificate unwritten.json
"$python" -c "
import json
c = json.load(open('unwritten.json'))
assert c['verification'] is None and c['optimized']['sha256'] is None, c
"
refused 10 "good.onnx" "$sinter" optimize good.onnx --certificate good.onnx
"$sinter" optimize good.onnx --only eliminate_dead_nodes --json |
  "$python" -c "import json, sys; assert [p['name'] for p in json.load(sys.stdin)['passes']] == ['eliminate_dead_nodes']"
"$sinter" optimize fused.onnx --json | "$python" -c "
import json, sys
r = json.load(sys.stdin)
assert sum(p['changed'] for p in r['passes']) == 0, 'the fused model changes again'"
tiny defaulted
shows "1 input has a default value and is treated as a constant: k" "$sinter" inspect defaulted.onnx
"$sinter" optimize defaulted.onnx -o kept.onnx > /dev/null
shows "1 input has a default value and is treated as a constant: k" "$sinter" inspect kept.onnx
