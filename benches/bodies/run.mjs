// Runs a program for WASI in V8: node benches/bodies/run.mjs PROGRAM.wasm [ARGUMENTS].
import { readFile } from 'node:fs/promises';
import { WASI } from 'node:wasi';

const [program, ...rest] = process.argv.slice(2);
const wasi = new WASI({ version: 'preview1', args: [program, ...rest] });
// The program calls no function of a proxy.
const env = new Proxy({}, { get: () => () => 0 });
const module = await WebAssembly.compile(await readFile(program));
const { exports } = await WebAssembly.instantiate(module, { ...wasi.getImportObject(), env });
// The filter exports more, for a proxy.
wasi.start({ exports: { memory: exports.memory, _start: exports._start } });
