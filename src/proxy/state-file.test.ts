import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readStateFile, writeStateFile } from './state-file.ts';

const KEPT = { side: 'source', epoch: 3, isSwitching: false } as const;

test.runIf(process.platform === 'linux')(
  'a full disk leaves the file as it was, and no part of a new one; what it says already is not written again',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'pgglide-test-'));
    const path = join(folder, 'state');
    try {
      writeStateFile(path, KEPT);
      symlinkSync('/dev/full', `${path}.${process.pid}`);
      expect(() => writeStateFile(path, { ...KEPT, epoch: 4 })).toThrow('ENOSPC');
      expect(readStateFile(path)).toEqual(KEPT);
      expect(readdirSync(folder)).toEqual(['state']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);

test('a file that a power failure has emptied says nothing; one that says something else is an error', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pgglide-test-'));
  const path = join(folder, 'state');
  try {
    expect(readStateFile(path)).toBeUndefined();
    for (const text of ['', '\0\0\0']) {
      writeFileSync(path, text);
      expect(readStateFile(path)).toBe('blank');
    }
    writeFileSync(path, '{"side":');
    expect(() => readStateFile(path)).toThrow('does not say where traffic points');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
