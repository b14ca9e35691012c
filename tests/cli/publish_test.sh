#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# decrypt --publish floods what is shown and written; infer --bits compares with the prediction.
. "$(dirname "$0")/../support/cli.sh"
encrypted_net
"$sinter" decrypt net.sinter --key client.key output.ct -o exact.npy >/dev/null
shows "Flooded for publication: 6 bits" "$sinter" decrypt net.sinter --key client.key output.ct -o a.npy --publish 6
shows "Flooded" "$sinter" decrypt net.sinter --key client.key output.ct -o b.npy --publish 6
"$sinter" decrypt net.sinter --key client.key output.ct -o c.npy --publish 12 --json >c.json
"$python" -c "
import json, numpy as np
exact, a, b, c = (np.load(f + '.npy').astype(float).ravel() for f in ('exact', 'a', 'b', 'c'))
p = json.load(open('c.json'))['publish']
assert p['bits'] == 12 and p['deviation'] > 0, p
assert not np.array_equal(a, b), 'the noise of two publications is the same'
steps = c / p['step']
assert np.abs(steps - np.round(steps)).max() < 1e-6, (c, p)
assert np.abs(c - exact).max() < 8 * p['deviation'], (exact, c, p)
assert np.abs(a - exact).max() < 8 * p['deviation'] / 2**6 * 1.01, (exact, a, p)
assert np.abs(c - exact).max() > p['deviation'] / 100, (exact, c, p)"
refused 2 "--publish" "$sinter" decrypt net.sinter --key client.key output.ct --publish 0
refused 2 "--publish" "$sinter" decrypt net.sinter --key client.key output.ct --publish 99
# A prediction that is good enough is silent, one that is not warns, and both run.
"$sinter" infer net.sinter --keys server.keys input.ct -o o.ct --bits 4 --json >i.json 2>err.txt
if grep -q "bits of precision" err.txt; then fail "warned of enough bits: $(cat err.txt)"; fi
"$python" -c "
import json
assert 4 < json.load(open('i.json'))['predicted_precision_bits'] < 60"
"$sinter" infer net.sinter --keys server.keys input.ct -o o.ct --bits 50 >/dev/null 2>err.txt
grep -q "fewer than the 50 asked for" err.txt || fail "no warning: $(cat err.txt)"
