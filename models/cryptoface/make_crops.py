# SPDX-License-Identifier: Apache-2.0
"""Makes crops.png from the photographs that Debian's python3-skimage installs.

    python3 make_crops.py [FOLDER]     default: /usr/lib/python3/dist-packages/skimage/data

Needs python3-pil and python3-skimage (its files only, nothing of it is imported).
"""

import pathlib
import sys

import numpy as np
from PIL import Image

import photographs

FOLDER = '/usr/lib/python3/dist-packages/skimage/data'
# file, how many pixels become one, then the upper left corners of the tiles, row and column
SOURCES = [
    ('astronaut.png', 2, [(0, 0), (0, 128), (128, 0), (128, 128)]),
    ('astronaut.png', 1, [(64, 160)]),
    ('chelsea.png', 1, [(20, 60), (20, 190), (150, 60), (150, 190)]),
    ('coffee.png', 2, [(40, 20), (40, 150)]),
    ('coffee.png', 1, [(120, 180)]),
]


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else FOLDER)
    cut = []
    for name, step, corners in SOURCES:
        pixels = np.asarray(Image.open(folder / name).convert('RGB')).astype(float)
        height, width = pixels.shape[0] // step, pixels.shape[1] // step
        pixels = pixels[:height * step, :width * step].reshape(height, step, width, step, 3)
        pixels = np.rint(pixels.mean(axis=(1, 3))).astype(np.uint8)
        side = photographs.TILE
        cut += [pixels[y:y + side, x:x + side] for y, x in corners]
    rows = [np.concatenate(cut[n:n + 4], axis=1) for n in range(0, len(cut), 4)]
    photographs.write_png(photographs.SHEET, np.concatenate(rows, axis=0))


if __name__ == '__main__':
    main()
