import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';

const here = new URL('.', import.meta.url);
const files = readdirSync(here).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));

test.each(files)('%s is one step, named after it', async (file) => {
  const values = Object.values(await import(new URL(file, here).href)) as { id?: unknown }[];
  const ids = values.flatMap((value) => (typeof value?.id === 'string' ? [value.id] : []));
  expect(ids).toEqual([file.replace(/\.ts$/, '')]);
});
