/** `npm run bench [-- stall|copy|verify|proxy|tables|lanes] [--json FILE]`: figures as ratios within one run, medians of several. */

import { writeFile } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';

const BENCHES: Readonly<Record<string, () => Promise<{ run(): Promise<object> }>>> = {
  stall: () => import('./stall.bench.ts'),
  copy: () => import('./copy.bench.ts'),
  verify: () => import('./verify.bench.ts'),
  proxy: () => import('./proxy.bench.ts'),
  tables: () => import('./tables.bench.ts'),
  lanes: () => import('./lanes.bench.ts'),
};

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'string' } } });
const unknown = positionals.filter((name) => !(name in BENCHES));
if (unknown.length > 0) {
  console.error(`No such benchmark: ${unknown.join(', ')}. There are: ${Object.keys(BENCHES).join(', ')}`);
  process.exit(2);
}

const wanted = positionals.length > 0 ? positionals : Object.keys(BENCHES);
const results: Record<string, unknown> = {
  machine: { cores: cpus().length, model: cpus()[0]?.model, kernel: release(), node: process.version },
};
for (const name of wanted) {
  const bench = await BENCHES[name]?.();
  const result = await bench?.run();
  results[name] = result;
  console.log(`\n${name}\n${JSON.stringify(result, null, 2)}`);
}
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(results, null, 2)}\n`);
