/** `pgglide report` at the real command line: one account in three forms. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Bed } from './bed.ts';
import { serverPair } from './server-pair.ts';

const servers = serverPair();

test('text, JSON and HTML, to stdout or into a file', { timeout: 240_000 }, async () => {
  await using bed = await Bed.create({
    ...servers,
    schema: 'CREATE TABLE public."<b>item" (id int PRIMARY KEY); INSERT INTO public."<b>item" VALUES (1)',
  });
  expect((await bed.pgglide(['sync'])).exitCode).toBe(0);
  expect((await bed.pgglide(['verify'])).exitCode).toBe(0);

  const page = await bed.pgglide(['report', '-o', 'html']);
  expect(page.exitCode, page.stderr).toBe(0);
  expect(page.stdout).toMatch(/^<!doctype html>\n[\s\S]*<\/html>\n$/);
  expect(page.stdout).toContain('&lt;b&gt;item');
  for (const secret of bed.secrets) expect(page.stdout).not.toContain(secret);

  const file = join(bed.folder, 'report');
  for (const [ending, args, beginsWith] of [
    ['.html', [], '<!doctype html>'],
    ['.json', [], '{\n  "migration": "cli"'],
    ['.txt', [], 'Migration cli: IN PROGRESS'],
    ['.txt', ['-o', 'html'], '<!doctype html>'],
  ] as const) {
    const written = await bed.pgglide(['report', '--output', file + ending, ...args]);
    expect(written).toMatchObject({ exitCode: 0, stdout: '' });
    expect(written.stderr).toContain(`Written: ${file}${ending}`);
    expect((await readFile(file + ending, 'utf8')).startsWith(beginsWith)).toBe(true);
  }
});
