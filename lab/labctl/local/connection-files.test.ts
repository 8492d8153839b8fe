import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { claimFolder, pathsOf } from '../folder.ts';
import { ensureSecrets } from '../secrets.ts';
import { environmentFile, writeConnectionFiles } from './connection-files.ts';

test('the shell reads back every character of the folder’s name', () => {
  const folder = mkdtempSync(join(tmpdir(), "pgglide-o'brien $HOME-"));
  try {
    const paths = pathsOf(join(folder, 'lab'));
    claimFolder(paths);
    writeConnectionFiles(paths, ensureSecrets(paths).secrets);
    const read = execFileSync('sh', ['-c', '. "$1"; printf %s "$LAB_DIR"', 'sh', environmentFile(paths)]);
    expect(read.toString()).toBe(paths.folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
