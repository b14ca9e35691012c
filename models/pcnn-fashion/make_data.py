# SPDX-License-Identifier: Apache-2.0
"""Writes the images beside the model, all as bytes in the network's 32x32 frame (dataset.py).

    python3 make_data.py --output .

images/00.png .. 19.png   the first 20 test images, 8-bit grey
labels.txt                their true classes, one line "NN.png class name" each
test200.npy               the first 200 test images, uint8 [200,1,32,32]; expected_f32.npy is for these
test200_labels.npy        their classes, uint8 [200]
calibration.npy           the first 256 training images, uint8 [256,1,32,32]
"""

import argparse
import os
import struct
import zlib

import numpy as np

import dataset

CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
           "Ankle boot"]


def png_chunk(kind, body):
    return (struct.pack(">I", len(body)) + kind + body +
            struct.pack(">I", zlib.crc32(kind + body)))


def write_grey_png(path, pixels):
    """pixels uint8 [height, width]; rows unfiltered."""
    height, width = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.write(png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)))
        file.write(png_chunk(b"IDAT", zlib.compress(rows, 9)))
        file.write(png_chunk(b"IEND", b""))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--output", required=True, help="folder for the files; must exist")
    folder = parser.parse_args().output

    pixels, labels = dataset.load("t10k")
    os.makedirs(os.path.join(folder, "images"), exist_ok=True)
    with open(os.path.join(folder, "labels.txt"), "w") as file:
        for i in range(20):
            write_grey_png(os.path.join(folder, "images", f"{i:02d}.png"), pixels[i, 0])
            file.write(f"{i:02d}.png {labels[i]} {CLASSES[labels[i]]}\n")
    np.save(os.path.join(folder, "test200.npy"), np.ascontiguousarray(pixels[:200]))
    np.save(os.path.join(folder, "test200_labels.npy"), labels[:200].astype(np.uint8))
    training, _ = dataset.load("train")
    np.save(os.path.join(folder, "calibration.npy"), np.ascontiguousarray(training[:256]))


if __name__ == "__main__":
    main()
