#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run against numpy: scaling of pixels, several files, chunks, threads, comparison, accuracy.
. "$(dirname "$0")/../support/cli.sh"
tiny good
cat >reference.py <<'PY'
import sys
sys.path.insert(0, sys.argv[1])
import random
import numpy as np

def network(x):
    """The network of tiny_onnx.py 'good' in double."""
    rng = random.Random(7)
    f = lambda *dims: np.array([rng.uniform(0.1, 0.5) for _ in range(int(np.prod(dims)))], 'f4').reshape(dims).astype('f8')
    w, b, g, h = f(2, 1, 3, 3), f(2), f(3, 8), f(3)
    p = np.pad(x.astype('f8'), ((0, 0), (0, 0), (1, 1), (1, 1)))
    c = b[None, :, None, None] + sum(p[:, 0:1, i:i + 8, j:j + 8] * w[None, :, 0, i, j, None, None]
                                     for i in range(3) for j in range(3))
    a = (c * c).reshape(-1, 2, 2, 4, 2, 4).mean(axis=(3, 5))
    return a.reshape(len(x), 8) @ g.T + h

pixels = np.random.default_rng(1).integers(0, 256, (37, 1, 8, 8)).astype('u1')
np.save('pixels.npy', pixels)
np.save('floats.npy', (pixels / 255).astype('f4'))
np.save('y.npy', network((pixels / 255).astype('f4')))
np.save('y2.npy', network((pixels * (2 / 255) - 1).astype('f4')))
np.save('truth.npy', network((pixels / 255).astype('f4')).argmax(axis=1))
for i in (3, 4):
    np.save(f'one{i}.npy', pixels[i])
PY
"$python" reference.py .
same() { # same A B [ROW ROW]: within 1e-5 of the largest value
  "$python" -c "
import sys, numpy as np
a, b = np.load(sys.argv[1]), np.load(sys.argv[2])
if len(sys.argv) > 3: b = b[[int(r) for r in sys.argv[3:]]]
assert a.dtype == np.float32 and a.shape == b.shape, (a.dtype, a.shape, b.shape)
assert np.abs(a - b).max() <= 1e-5 * np.abs(b).max(), np.abs(a - b).max()" "$@"
}
shows "[37,3]" "$sinter" run good.onnx --input x=pixels.npy --output bytes --batch 10 --threads 2
same bytes/y.npy y.npy
shows "accuracy: 37 of 37" "$sinter" run good.onnx --input floats.npy --output floats --truth truth.npy
same floats/y.npy y.npy
cmp bytes/y.npy floats/y.npy || fail "results depend on chunks, threads or the type of the pixels"
shows "largest difference" "$sinter" run good.onnx --input x=pixels.npy --compare y.npy
shows "class" "$sinter" run good.onnx --input x=pixels.npy --scale 0.00784313725490196 --offset=-1 --output o
same o/y.npy y2.npy
scheme scheme.yaml
shows "class" "$sinter" run good.onnx --input x=pixels.npy --config scheme.yaml --output p
cmp o/y.npy p/y.npy || fail "--config and --scale --offset differ"
shows "[2,3]" "$sinter" run good.onnx --input x=one3.npy --input x=one4.npy --output q
same q/y.npy y.npy 3 4
printf 'first\nsecond\nthird\n' >names.txt
shows "third" "$sinter" run good.onnx --input x=one3.npy --labels names.txt
"$sinter" run good.onnx --input x=pixels.npy --truth truth.npy --json | "$python" -c "
import json, sys
r = json.load(sys.stdin)
assert r['accuracy']['right'] == 37 and r['outputs'][0]['shape'] == [37, 3], r"
"$sinter" run good.onnx --input x=one3.npy --stats stats.json >/dev/null
"$python" -c "
import json
s = json.load(open('stats.json'))
assert s['command'] == 'run' and s['exit_code'] == 0 and s['peak_memory_bytes'] > 0, s"

# Only a model that treats each item alone may be cut; without --batch everything runs at once.
tiny center
tiny norm
array rows.npy "rng.standard_normal((250, 4)).astype('f4')"
array center.npy "(lambda x: x - x.mean(axis=0, keepdims=True))(np.load('rows.npy').astype('f8'))"
array norm.npy "(lambda x: x - x.mean(axis=1, keepdims=True))(np.load('rows.npy').astype('f8'))"
"$sinter" run center.onnx --input x=rows.npy --output r >/dev/null
same r/y.npy center.npy
refused 10 'ReduceMean "node_m" may combine items' "$sinter" run center.onnx --input x=rows.npy --batch 100
"$sinter" run norm.onnx --input x=rows.npy --output s --batch 100 >/dev/null
same s/y.npy norm.npy
