// SPDX-License-Identifier: Apache-2.0
// CPU time of one run under ONNX Runtime, one thread, all its own optimisations on, for several files of
// the same model. The files take turns, so that a busy machine is equally unkind to all.
//
//   node ort_time.mjs SIZES SECONDS a.onnx b.onnx ...     SIZES: "batch=1,height=640" for symbols, or -
//
// Prints {"ms": [median per file], "difference": [largest |file - first| / largest |first|]}, or null for
// a file that does not run.

import ort from 'onnxruntime-node';

const [sizesText, secondsText, ...files] = process.argv.slice(2);
const sizes = new Map(sizesText === '-' ? [] : sizesText.split(',').map((s) => {
  const [name, value] = s.split('=');
  return [name, Number(value)];
}));

function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
}

function feeds(session) {
  const next = random(7);
  return Object.fromEntries(session.inputMetadata.map(({ name, type, shape }) => {
    const dims = shape.map((d) => (typeof d === 'number' && d > 0 ? d : sizes.get(String(d)) ?? 1));
    const count = dims.reduce((a, b) => a * b, 1);
    const integer = () => (sizes.has(name) ? sizes.get(name) : Math.floor(next() * 2));
    const data = type === 'float32' ? Float32Array.from({ length: count }, () => next() * 2 - 1)
      : type === 'int64' ? BigInt64Array.from({ length: count }, () => BigInt(integer()))
      : type === 'int32' ? Int32Array.from({ length: count }, integer)
      : Uint8Array.from({ length: count }, () => Math.floor(next() * 2));
    return [name, new ort.Tensor(type, data, dims)];
  }));
}

async function open(file) {
  try {
    const session = await ort.InferenceSession.create(file, {
      graphOptimizationLevel: 'all', intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 4,
    });
    const inputs = feeds(session);
    const outputs = await session.run(inputs);
    return { session, inputs, outputs, ms: [] };
  } catch (error) {
    console.error(`${file}: ${error.message}`.slice(0, 300));
    return null;
  }
}

function largest(outputs) {
  let most = 0;
  for (const t of Object.values(outputs))
    if (t.type === 'float32') for (const v of t.data) if (Number.isFinite(v)) most = Math.max(most, Math.abs(v));
  return most;
}

function difference(a, b) {
  let most = 0;
  for (const key of Object.keys(a)) {
    if (a[key].type !== 'float32') continue;
    if (!b[key] || a[key].data.length !== b[key].data.length) return Infinity;
    for (let i = 0; i < a[key].data.length; ++i) {
      const d = Math.abs(a[key].data[i] - b[key].data[i]);
      if (!(d <= most)) most = d;
    }
  }
  return most / (largest(a) || 1);
}

const models = [];
for (const file of files) models.push(await open(file));
const deadline = Date.now() + Number(secondsText) * 1000;
while (Date.now() < deadline) {
  for (const m of models) {
    if (m === null) continue;
    const start = process.cpuUsage();
    for (let i = 0; i < 3; ++i) await m.session.run(m.inputs);
    const used = process.cpuUsage(start);
    m.ms.push((used.user + used.system) / 3e3);
  }
}
const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];
const first = models[0];
console.log(JSON.stringify({
  ms: models.map((m) => (m === null ? null : median(m.ms))),
  difference: models.map((m) => (m === null || first === null ? null : difference(first.outputs, m.outputs))),
}));
process.exit(0);
