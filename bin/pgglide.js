#!/usr/bin/env node
// An installed package has dist/. A checkout runs its sources, unless a build newer than all of them is there.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const built = join(root, 'dist', 'src', 'cli', 'main.js');
const source = join(root, 'src');

function isBuildFresh() {
  if (!existsSync(built)) return false;
  if (!existsSync(source)) return true;
  const builtAt = statSync(built).mtimeMs;
  return readdirSync(source, { recursive: true, withFileTypes: true }).every(
    (entry) =>
      !entry.isFile() || statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs <= builtAt,
  );
}

async function load() {
  if (isBuildFresh()) return import(pathToFileURL(built).href);
  const { register } = await import('tsx/esm/api');
  register();
  return import(pathToFileURL(join(source, 'cli', 'main.ts')).href);
}

const { main } = await load();
await main(process.argv.slice(2));
