#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Inputs of another shape, type or name; damaged arrays and images.
. "$(dirname "$0")/../support/cli.sh"
tiny good
array flat.npy 'np.zeros((1, 1, 8, 9), "f4")'
refused 10 "input x has shape [N,1,8,8], the file holds [1,1,8,9]" \
  "$sinter" run good.onnx --input x=flat.npy --output out
array bools.npy 'np.zeros((1, 1, 8, 8), "?")'
refused 10 "input x is f32, the file holds bool" "$sinter" run good.onnx --input x=bools.npy
array right.npy 'np.zeros((1, 1, 8, 8), "f4")'
refused 10 "expected NAME=FILE with a name among x" "$sinter" run good.onnx --input z=right.npy
refused 10 "input x is missing" "$sinter" run good.onnx
refused 14 "none.npy: cannot open" "$sinter" run good.onnx --input x=none.npy
array complex.npy 'np.zeros((1, 1, 8, 8), "c8")'
refused 12 "element type <c8" "$sinter" run good.onnx --input x=complex.npy
array fortran.npy 'np.asfortranarray(np.zeros((2, 1, 8, 8), "f4"))'
refused 12 "Fortran order" "$sinter" run good.onnx --input x=fortran.npy
truncated right.npy short.npy 200
refused 11 "truncated" "$sinter" run good.onnx --input x=short.npy
cp right.npy long.npy && echo >>long.npy
refused 11 "trailing bytes" "$sinter" run good.onnx --input x=long.npy
"$python" -c "
data = bytearray(open('right.npy', 'rb').read())
open('header.npy', 'wb').write(data.replace(b'(1, 1, 8, 8)', b'(1, 1, 8, -8'))"
refused 11 ".npy header" "$sinter" run good.onnx --input x=header.npy
cp "$root/models/pcnn-fashion/images/00.png" image.png
refused 10 "the file holds [1,1,32,32]" "$sinter" run good.onnx --input x=image.png
truncated image.png short.png 120
refused 11 "PNG" "$sinter" run good.onnx --input x=short.png
damaged image.png flipped.png 60
refused 11 "PNG" "$sinter" run good.onnx --input x=flipped.png
