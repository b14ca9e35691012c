// SPDX-License-Identifier: Apache-2.0
// Simplifies a model with onnxsim (WebAssembly), default options.
//
//   node peer.mjs in.onnx out.onnx        prints {"seconds": CPU seconds of the call}

import { readFile, writeFile } from 'node:fs/promises';

import { simplify } from 'onnxsim';

const [input, output] = process.argv.slice(2);
const bytes = await readFile(input);
const start = process.cpuUsage();
const log = console.log;
console.log = () => {};
const { model } = await simplify(bytes);
console.log = log;
const used = process.cpuUsage(start);
await writeFile(output, model);
console.log(JSON.stringify({ seconds: (used.user + used.system) / 1e6 }));
process.exit(0);
