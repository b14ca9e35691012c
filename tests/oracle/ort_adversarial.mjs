// SPDX-License-Identifier: Apache-2.0
// Runs the adversarial set through onnxruntime, every graph optimisation off: the original and the
// optimized file of each case on the same random inputs.
//
//   node ort_adversarial.mjs FOLDER          FOLDER/cases.json, FOLDER/<name>.onnx, FOLDER/optimized/<name>.onnx
//
// A line for each case that differs, or that only the optimized file fails; a summary at the end.
// Exit 0: none of these. 1: some. 77: onnxruntime-node is not installed.

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const BOUND = 2e-4; // of the largest output, float32; float16 models are left out
const SEEDS = [1, 2, 3];
const PRIMES = [2, 3, 5, 7, 11, 13];

let ort;
try {
  ort = createRequire(import.meta.url)('onnxruntime-node');
} catch (error) {
  if (error.code !== 'MODULE_NOT_FOUND') throw error;
  console.error('ort_adversarial: onnxruntime-node is not installed');
  process.exit(77);
}

/// Numbers in [0, 1) that depend on the seed alone (mulberry32).
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const normal = (next) => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());

const MAKERS = {
  float32: (n, next) => Float32Array.from({ length: n }, () => normal(next)),
  float64: (n, next) => Float64Array.from({ length: n }, () => normal(next)),
  int64: (n, next) => BigInt64Array.from({ length: n }, () => BigInt(Math.floor(next() * 4))),
  int32: (n, next) => Int32Array.from({ length: n }, () => Math.floor(next() * 9) - 4),
  uint8: (n, next) => Uint8Array.from({ length: n }, () => Math.floor(next() * 256)),
  int8: (n, next) => Int8Array.from({ length: n }, () => Math.floor(next() * 256) - 128),
  bool: (n, next) => Uint8Array.from({ length: n }, () => (next() < 0.5 ? 0 : 1)),
  string: (n) => Array.from({ length: n }, (_, i) => `text ${i}`),
};

/// One tensor per input; a symbol is the same number everywhere.
function feeds(session, seed) {
  const next = random(seed);
  const symbols = new Map();
  const size = (d) => {
    if (typeof d === 'number') return d;
    if (!symbols.has(d)) symbols.set(d, PRIMES[(symbols.size + seed) % PRIMES.length]);
    return symbols.get(d);
  };
  return Object.fromEntries(session.inputMetadata.map(({ name, type, shape }) => {
    const dims = shape.map(size);
    const count = dims.reduce((a, b) => a * b, 1);
    return [name, new ort.Tensor(type, MAKERS[type](count, next), dims)];
  }));
}

/// "" when the same up to rounding.
function difference(a, b) {
  if (a.type !== b.type) return `type ${b.type}, not ${a.type}`;
  if (String(a.dims) !== String(b.dims)) return `shape [${b.dims}], not [${a.dims}]`;
  if (!a.type.startsWith('float')) {
    for (let i = 0; i < a.data.length; ++i) if (a.data[i] !== b.data[i]) return `element ${i}`;
    return '';
  }
  let largest = 0;
  for (const v of a.data) if (Number.isFinite(v)) largest = Math.max(largest, Math.abs(v));
  for (let i = 0; i < a.data.length; ++i) {
    const same = Object.is(a.data[i], b.data[i]) || Math.abs(a.data[i] - b.data[i]) <= BOUND * largest;
    if (!same) return `element ${i}: ${b.data[i]}, not ${a.data[i]}`;
  }
  return '';
}

const open = (path) =>
  ort.InferenceSession.create(path, {
    graphOptimizationLevel: 'disabled', intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 4,
  });

/// "" | "skipped: ..." | what is wrong.
async function check(folder, { name, random: isRandom }) {
  let original;
  const optimizedPath = join(folder, 'optimized', `${name}.onnx`);
  if (!existsSync(optimizedPath)) return 'no optimized file';
  try {
    original = await open(join(folder, `${name}.onnx`));
    await original.run(feeds(original, 1));
  } catch (error) {
    return `skipped: onnxruntime cannot run the original: ${error.message}`;
  }
  try {
    const optimized = await open(optimizedPath);
    if (String(optimized.inputNames) !== String(original.inputNames)) return 'other inputs';
    if (String(optimized.outputNames) !== String(original.outputNames)) return 'other outputs';
    for (const seed of SEEDS) {
      const inputs = feeds(original, seed);
      const expected = await original.run(inputs);
      const found = await optimized.run(inputs);
      for (const key of original.outputNames) {
        const wrong = isRandom ? '' : difference(expected[key], found[key]);
        if (wrong) return `output ${key}, seed ${seed}: ${wrong}`;
      }
    }
    return '';
  } catch (error) {
    return `the optimized model does not run: ${error.message}`;
  }
}

const folder = process.argv[2];
const counts = { right: 0, wrong: 0, skipped: 0 };
for (const one of JSON.parse(readFileSync(join(folder, 'cases.json')))) {
  const result = one.ort ? await check(folder, one) : 'skipped: outside onnxruntime';
  const kind = result === '' ? 'right' : result.startsWith('skipped') ? 'skipped' : 'wrong';
  ++counts[kind];
  if (kind === 'wrong' || (kind === 'skipped' && one.ort)) console.log(`${one.name}: ${result.slice(0, 300)}`);
}
console.log(JSON.stringify(counts));
process.exit(counts.wrong > 0 ? 1 : 0);
