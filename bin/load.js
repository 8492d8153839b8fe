// An installed package has dist/. A checkout runs its sources, unless a build newer than all of them is there.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(root, 'src');

function isBuildFresh(built) {
  if (!existsSync(built)) return false;
  if (!existsSync(source)) return true;
  const builtAt = statSync(built).mtimeMs;
  return readdirSync(source, { recursive: true, withFileTypes: true }).every(
    (entry) =>
      !entry.isFile() || statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs <= builtAt,
  );
}

/** The module src/cli/NAME. */
export async function loadCli(name) {
  const built = join(root, 'dist', 'src', 'cli', `${name}.js`);
  if (isBuildFresh(built)) return import(pathToFileURL(built).href);
  const { register } = await import('tsx/esm/api');
  register();
  return import(pathToFileURL(join(source, 'cli', `${name}.ts`)).href);
}
