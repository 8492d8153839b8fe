import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pathsOf } from '../folder.ts';
import { ensureRunning } from './processes.ts';

// What nobody listens to would end the tool with a stack (and this run with an error).
test('a program that is not there is named, and that is all', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pgglide-lab-'));
  try {
    const program = {
      name: 'pooler',
      command: [join(folder, 'nope')],
      environment: {},
      isReady: async () => true,
    };
    await expect(ensureRunning(pathsOf(folder), program)).rejects.toThrow(/pooler: cannot run .*nope/);
    await new Promise(setImmediate);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
