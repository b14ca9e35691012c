# SPDX-License-Identifier: Apache-2.0
"""Fashion-MNIST as the network reads it.

The 28x28 grey image is padded by two black pixels on every side (value 0, still as bytes), and then
scaled: value = pixel * (2/255) - 1, so black is -1 and white is +1.
"""

import gzip
import os

import numpy as np

FOLDER = "/usr/share/datasets/fashion-mnist"
SCALE = 2 / 255
OFFSET = -1.0


def read_idx(path):
    """An IDX file of bytes, gzipped, as a uint8 array."""
    with gzip.open(path, "rb") as file:
        data = file.read()
    if data[:3] != b"\0\0\x08":
        raise ValueError(f"{path}: expected an IDX file of bytes, found header {data[:4]!r}")
    rank = data[3]
    shape = np.frombuffer(data, ">i4", rank, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load(part):
    """part "train" or "t10k" -> (pixels uint8 [N,1,32,32], labels int64 [N])."""
    images = read_idx(os.path.join(FOLDER, f"{part}-images-idx3-ubyte.gz"))
    labels = read_idx(os.path.join(FOLDER, f"{part}-labels-idx1-ubyte.gz"))
    return np.pad(images, ((0, 0), (2, 2), (2, 2)))[:, None], labels.astype(np.int64)


def scaled(pixels, dtype=np.float32):
    """uint8 pixels -> network input in [-1,1]. Computed in double, rounded once."""
    return (pixels.astype(np.float64) * SCALE + OFFSET).astype(dtype)
