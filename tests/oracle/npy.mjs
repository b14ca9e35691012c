// SPDX-License-Identifier: Apache-2.0
// Reads and writes NumPy .npy files, format 1.0 to 3.0, little-endian, C order, of the four types
// that the tests use. Arrays are {type, shape, data} with data a typed array.

import { readFileSync, writeFileSync } from 'node:fs';

const TYPES = {
  '|u1': ['uint8', Uint8Array],
  '<i8': ['int64', BigInt64Array],
  '<f4': ['float32', Float32Array],
  '<f8': ['float64', Float64Array],
};

const product = (shape) => shape.reduce((size, n) => size * n, 1);

export function readNpy(path) {
  const bytes = readFileSync(path);
  if (bytes.length < 12 || bytes.toString('latin1', 0, 6) !== '\x93NUMPY') {
    throw new Error(`${path}: expected a .npy file, found other bytes`);
  }
  const wide = bytes[6] >= 2;
  const start = wide ? 12 : 10;
  const length = wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', start, start + length);
  const descr = /'descr':\s*'([^']+)'/.exec(header)?.[1];
  const shapeText = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  if (!(descr in TYPES) || shapeText === undefined || !/'fortran_order':\s*False/.test(header)) {
    throw new Error(`${path}: expected a C-order array of ${Object.keys(TYPES)}, found ${header.trim()}`);
  }
  const shape = shapeText.split(',').map((s) => s.trim()).filter(Boolean).map(Number);
  const [type, TypedArray] = TYPES[descr];
  const size = product(shape) * TypedArray.BYTES_PER_ELEMENT;
  const body = bytes.subarray(start + length);
  if (body.length !== size) {
    throw new Error(`${path}: expected ${size} bytes of data, found ${body.length}`);
  }
  // A copy: the file's data need not be aligned for the element type.
  return { type, shape, data: new TypedArray(new Uint8Array(body).buffer) };
}

export function writeNpy(path, { type, shape, data }) {
  const descr = Object.keys(TYPES).find((key) => TYPES[key][0] === type);
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${tuple}), }`;
  const padded = text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11) + '\n';
  const head = Buffer.alloc(10);
  head.write('\x93NUMPY\x01\x00', 'latin1');
  head.writeUInt16LE(padded.length, 8);
  const body = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  writeFileSync(path, Buffer.concat([head, Buffer.from(padded, 'latin1'), body]));
}
