// SPDX-License-Identifier: Apache-2.0
// Runs an ONNX file through onnxruntime with every graph optimisation off and compares the result.
//
//   node ort_compare.mjs model.onnx inputs.npy [expected.npy] [--count N] [--batch N]
//                        [--scale S] [--offset O] [--write outputs.npy] [--tolerance T]
//
// inputs.npy holds the model's first input, samples along axis 0. uint8 arrays become float32 by
// value = pixel * S + O, computed in double (S = 2/255 and O = -1 unless given; write --offset=-1).
// expected.npy holds the first output, float32 or float64, and may have more rows than are run. One
// line of JSON is printed: samples, classes (argmax of every row, for outputs [N,C]), largest_output
// and, with expected.npy, largest_difference, relative_difference (divided by the largest |expected|)
// and same_class.
//
// Exit 0: ran, and relative_difference <= T if T was given. 1: it was larger. 2: bad arguments or
// files. 77: onnxruntime-node is not installed (`npm install --ignore-scripts` in this folder).

import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';

import { readNpy, writeNpy } from './npy.mjs';

const rowSize = (array) => array.shape.slice(1).reduce((size, n) => size * n, 1);

function loadRuntime() {
  try {
    return createRequire(import.meta.url)('onnxruntime-node');
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
    console.error('ort_compare: onnxruntime-node is not installed');
    process.exit(77);
  }
}

function readArguments() {
  const text = { type: 'string' };
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      count: text, batch: text, scale: text, offset: text, write: text, tolerance: text,
    },
  });
  if (positionals.length < 2 || positionals.length > 3) {
    throw new Error('expected model.onnx inputs.npy [expected.npy]');
  }
  const number = (name, otherwise) => {
    const value = values[name] === undefined ? otherwise : Number(values[name]);
    if (Number.isNaN(value)) throw new Error(`--${name}: expected a number, found ${values[name]}`);
    return value;
  };
  const [model, inputs, expected] = positionals;
  return {
    model, inputs, expected, write: values.write,
    count: number('count', Infinity), batch: number('batch', 50),
    scale: number('scale', 2 / 255), offset: number('offset', -1),
    tolerance: number('tolerance', Infinity),
  };
}

function toFloat32(array, { scale, offset }) {
  if (array.type === 'float32') return array.data;
  if (array.type === 'uint8') return Float32Array.from(array.data, (v) => v * scale + offset);
  throw new Error(`inputs: expected uint8 or float32, found ${array.type}`);
}

async function runAll(ort, options) {
  const inputs = readNpy(options.inputs);
  const data = toFloat32(inputs, options);
  const size = rowSize(inputs);
  const count = Math.min(options.count, inputs.shape[0]);
  const session = await ort.InferenceSession.create(options.model, {
    graphOptimizationLevel: 'disabled',
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionProviders: ['cpu'],
  });
  const [inputName, outputName] = [session.inputNames[0], session.outputNames[0]];
  const values = [];
  let shape;
  for (let first = 0; first < count; first += options.batch) {
    const rows = Math.min(options.batch, count - first);
    const chunk = data.slice(first * size, (first + rows) * size);
    const tensor = new ort.Tensor('float32', chunk, [rows, ...inputs.shape.slice(1)]);
    const output = (await session.run({ [inputName]: tensor }))[outputName];
    values.push(output.data);
    shape = [count, ...output.dims.slice(1)];
  }
  const all = new Float32Array(shape.reduce((total, n) => total * n, 1));
  values.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return { type: 'float32', shape, data: all };
}

function classes(array, count) {
  const size = rowSize(array);
  return Array.from({ length: count }, (_, row) => {
    const part = Array.from(array.data.subarray(row * size, (row + 1) * size));
    return part.indexOf(Math.max(...part));
  });
}

const largest = (data) => data.reduce((most, v) => Math.max(most, Math.abs(v)), 0);

function compare(output, expected) {
  const count = output.shape[0];
  if (expected.shape[0] < count || rowSize(expected) !== rowSize(output)) {
    throw new Error(`expected: an array of at least [${output.shape}], found [${expected.shape}]`);
  }
  const data = expected.data.subarray(0, output.data.length);
  // A NaN counts as the largest possible difference, so that it cannot pass for agreement.
  const difference = output.data.reduce((most, v, i) => {
    const distance = Math.abs(v - data[i]);
    return Number.isNaN(distance) ? Infinity : Math.max(most, distance);
  }, 0);
  const theirs = classes(expected, count);
  return {
    largest_difference: difference,
    relative_difference: difference / largest(data),
    same_class: classes(output, count).filter((c, i) => c === theirs[i]).length,
  };
}

async function main() {
  const options = readArguments();
  const ort = loadRuntime();
  const output = await runAll(ort, options);
  if (options.write) writeNpy(options.write, output);
  const result = { samples: output.shape[0], largest_output: largest(output.data) };
  if (options.expected) Object.assign(result, compare(output, readNpy(options.expected)));
  if (output.shape.length === 2) result.classes = classes(output, output.shape[0]);
  console.log(JSON.stringify(result));
  return result.relative_difference > options.tolerance ? 1 : 0;
}

main().then((code) => { process.exitCode = code; }, (error) => {
  console.error(`ort_compare: ${error.message}`);
  process.exitCode = 2;
});
