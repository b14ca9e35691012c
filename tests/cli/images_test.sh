#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# PNG input: grey and RGB, 8 and 16 bits, palette, interlaced; what is read is what was drawn.
. "$(dirname "$0")/../support/cli.sh"
cat >make.py <<'PY'
"""Writes PNGs by hand and, for each, the array it must be read as; a model that copies its input."""
import struct, sys, zlib
import numpy as np
sys.path.insert(0, sys.argv[1])
import tiny_onnx as t

def png(name, width, height, depth, kind, rows, extra=b'', interlace=0):
    chunk = lambda k, d: struct.pack('>I', len(d)) + k + d + struct.pack('>I', zlib.crc32(k + d))
    open(name, 'wb').write(b'\x89PNG\r\n\x1a\n' +
        chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, depth, kind, 0, 0, interlace)) + extra +
        chunk(b'IDAT', zlib.compress(b''.join(b'\0' + r for r in rows))) + chunk(b'IEND', b''))

rng = np.random.default_rng(3)
copy = lambda c: t.model([t.node('Identity', ['x'], 'y')], [], [t.value_info('x', ['N', c, 5, 7])],
                         [t.value_info('y', ['N', c, 5, 7])])
for c in (1, 3):
    open(f'copy{c}.onnx', 'wb').write(copy(c))
grey = rng.integers(0, 256, (5, 7)).astype('u1')
png('grey.png', 7, 5, 8, 0, [r.tobytes() for r in grey])
np.save('grey.npy', (grey / 255).astype('f4')[None, None])
rgb = rng.integers(0, 256, (5, 7, 3)).astype('u1')
png('rgb.png', 7, 5, 8, 2, [r.tobytes() for r in rgb])
np.save('rgb.npy', (rgb / 255).astype('f4').transpose(2, 0, 1)[None])
wide = rng.integers(0, 65536, (5, 7)).astype('>u2')
png('wide.png', 7, 5, 16, 0, [r.tobytes() for r in wide])
np.save('wide.npy', (wide.astype('f8') / 65535).astype('f4')[None, None])
bits = rng.integers(0, 2, (5, 7)).astype('u1')
png('bits.png', 7, 5, 1, 0, [np.packbits(r).tobytes() for r in bits])
np.save('bits.npy', bits.astype('f4')[None, None])
palette = rng.integers(0, 256, (4, 3)).astype('u1')
index = rng.integers(0, 4, (5, 7)).astype('u1')
body = palette.tobytes()
plte = struct.pack('>I', len(body)) + b'PLTE' + body + struct.pack('>I', zlib.crc32(b'PLTE' + body))
png('palette.png', 7, 5, 8, 3, [r.tobytes() for r in index], plte)
np.save('palette.npy', (palette[index] / 255).astype('f4').transpose(2, 0, 1)[None])
passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
rows = [r.tobytes() for y, x, dy, dx in passes if grey[y::dy, x::dx].size for r in grey[y::dy, x::dx]]
png('interlaced.png', 7, 5, 8, 0, rows, interlace=1)
np.save('interlaced.npy', (grey / 255).astype('f4')[None, None])
rgba = rng.integers(0, 256, (5, 7, 4)).astype('u1')
png('rgba.png', 7, 5, 8, 6, [r.tobytes() for r in rgba])
PY
"$python" make.py "$root/tests/support"
for name in grey rgb wide bits palette interlaced; do
  channels=1
  case $name in rgb | palette) channels=3 ;; esac
  "$sinter" run copy$channels.onnx --input x=$name.png --output out >/dev/null || fail "$name"
  "$python" -c "
import numpy as np
a, b = np.load('out/y.npy'), np.load('$name.npy')
assert a.shape == b.shape and np.abs(a - b).max() <= 1e-7, ('$name', a.shape, b.shape)"
done
refused 12 "transparency" "$sinter" run copy3.onnx --input x=rgba.png
refused 10 "the file holds [1,3,5,7]" "$sinter" run copy1.onnx --input x=rgb.png
