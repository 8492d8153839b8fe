import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';

const here = new URL('.', import.meta.url);
const files = readdirSync(here).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));

test.each(files)('%s holds the step that it is named after, and variants of it alone', async (file) => {
  const values = Object.values(await import(new URL(file, here).href)) as { id?: unknown }[];
  const ids = values.flatMap((value) => (typeof value?.id === 'string' ? [value.id] : []));
  const name = file.replace(/\.ts$/, '');
  expect(ids).toContain(name);
  for (const id of ids) expect(id).toMatch(new RegExp(`^${name}(-|$)`));
});
