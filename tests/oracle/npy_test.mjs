// SPDX-License-Identifier: Apache-2.0
// node --test npy_test.mjs: what is written is read back, and damaged files are refused.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { readNpy, writeNpy } from './npy.mjs';

const folder = mkdtempSync(join(tmpdir(), 'npy-'));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'array.npy');

test('what is written is read back, for every type and for ranks 0 to 3', () => {
  const types = { uint8: Uint8Array, int64: BigInt64Array, float32: Float32Array, float64: Float64Array };
  for (const [type, TypedArray] of Object.entries(types)) {
    for (const shape of [[], [1], [7], [2, 5], [3, 1, 11], [0, 4]]) {
      const size = shape.reduce((total, n) => total * n, 1);
      const item = (i) => (type === 'int64' ? BigInt(i) : i);
      const array = { type, shape, data: TypedArray.from({ length: size }, (_, i) => item(i)) };
      writeNpy(path, array);
      assert.deepEqual(readNpy(path), array);
      assert.equal(readFileSync(path).length - array.data.byteLength & 63, 0);
    }
  }
});

test('a file that is cut short, too long or of another kind is refused', () => {
  writeNpy(path, { type: 'float32', shape: [3], data: Float32Array.of(1, 2, 3) });
  const bytes = readFileSync(path);
  const damaged = [
    bytes.subarray(0, 5), bytes.subarray(0, 20), bytes.subarray(0, bytes.length - 1),
    Buffer.concat([bytes, Buffer.of(0)]), Buffer.from('not an array at all'),
    Buffer.from(bytes.toString('latin1').replace('<f4', '>f4'), 'latin1'),
    Buffer.from(bytes.toString('latin1').replace('False', 'True '), 'latin1'),
  ];
  for (const [i, content] of damaged.entries()) {
    writeFileSync(path, content);
    assert.throws(() => readNpy(path), /expected/, `case ${i}`);
  }
});
