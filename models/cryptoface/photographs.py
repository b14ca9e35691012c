# SPDX-License-Identifier: Apache-2.0
"""The photographs that the statistics are taken on: tiles of one PNG, and crops of the tiles.

crops.png is a sheet of 128x128 tiles of real photographs (make_crops.py, README.md). A crop is a square
window of one tile, turned by a multiple of 90 degrees and perhaps mirrored; value = pixel * 2/255 - 1.
The reader takes what the writer makes, 8-bit RGB with the row filters None, Sub and Up, so that numpy
is all it needs.
"""

import pathlib
import struct
import zlib

import numpy as np

SHEET = pathlib.Path(__file__).with_name('crops.png')
TILE = 128
SIGNATURE = b'\x89PNG\r\n\x1a\n'


def write_png(path, pixels):
    """pixels uint8 [height, width, 3]; every row by the filter with the smallest sum."""
    height, width, _ = pixels.shape
    above = np.zeros((width, 3), np.uint8)
    rows = []
    for row in pixels:
        left = np.vstack([np.zeros((1, 3), np.uint8), row[:-1]])
        filtered = [row, row - left, row - above]
        sizes = [np.abs(f.view(np.int8).astype(int)).sum() for f in filtered]
        best = int(np.argmin(sizes))
        rows.append(bytes([best]) + filtered[best].tobytes())
        above = row
    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    with open(path, 'wb') as file:
        file.write(SIGNATURE)
        for kind, data in ((b'IHDR', header), (b'IDAT', zlib.compress(b''.join(rows), 9)), (b'IEND', b'')):
            file.write(struct.pack('>I', len(data)) + kind + data)
            file.write(struct.pack('>I', zlib.crc32(kind + data)))


def read_png(path):
    """uint8 [height, width, 3]"""
    data = pathlib.Path(path).read_bytes()
    if data[:8] != SIGNATURE:
        raise ValueError(f'{path}: not a PNG')
    at, packed = 8, b''
    while at < len(data):
        size, kind = struct.unpack('>I4s', data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if kind == b'IHDR':
            width, height, *form = struct.unpack('>IIBBBBB', body)
            if form != [8, 2, 0, 0, 0]:
                raise ValueError(f'{path}: expected 8-bit RGB, not interlaced')
        if kind == b'IDAT':
            packed += body
        at += 12 + size
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + 3 * width)
    pixels = np.zeros((height, width, 3), np.uint8)
    above = np.zeros((width, 3), np.uint8)
    for y in range(height):
        row = rows[y, 1:].reshape(width, 3)
        if rows[y, 0] > 2:
            raise ValueError(f'{path}: row {y} has filter {rows[y, 0]}, expected None, Sub or Up')
        if rows[y, 0] == 1:
            row = np.add.accumulate(row, axis=0, dtype=np.uint8)
        if rows[y, 0] == 2:
            row = row + above
        pixels[y] = above = row
    return pixels


def tiles():
    """float64 [tiles, 3, 128, 128] in [-1, 1]"""
    sheet = read_png(SHEET)
    rows, columns = sheet.shape[0] // TILE, sheet.shape[1] // TILE
    cut = sheet.reshape(rows, TILE, columns, TILE, 3).transpose(0, 2, 4, 1, 3)
    return cut.reshape(-1, 3, TILE, TILE) * (2 / 255) - 1


def crops(count, side, rng):
    """float64 [count, 3, side, side]; the tiles in turn, window and turn from rng (RandomState)."""
    sheet = tiles()
    result = np.empty((count, 3, side, side))
    for n in range(count):
        y, x = rng.randint(0, TILE - side + 1, 2)
        window = sheet[n % len(sheet), :, y:y + side, x:x + side]
        window = np.rot90(window, rng.randint(4), axes=(1, 2))
        result[n] = window[:, :, ::-1] if rng.randint(2) else window
    return result
