/** The file that is run for a hook, or why none can be. */

import { constants } from 'node:fs';
import { access, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { HookName } from './hook-name.ts';

/** A script with its usual ending was meant to be run; `on-switched.off` or `.bak` was not. */
const SCRIPT = /^\.(sh|bash|zsh|py|rb|pl|js|mjs|cjs|ts)$/;

/** `problem` reads on after "hook NAME cannot be run: ". */
export type FoundHook = { readonly path: string } | { readonly problem: string } | undefined;

export async function findHook(folder: string, name: HookName): Promise<FoundHook> {
  let files: readonly string[];
  try {
    files = await readdir(folder);
  } catch (error) {
    return { problem: folderProblem(folder, error) };
  }
  if (files.includes(name)) return fileProblem(join(folder, name));
  const misnamed = files.find((file) => file.startsWith(name) && SCRIPT.test(file.slice(name.length)));
  return misnamed === undefined
    ? undefined
    : { problem: `${join(folder, misnamed)} must be named ${name}, without an ending` };
}

function folderProblem(folder: string, error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return `the folder ${folder} (hooks.dir) does not exist`;
  if (code === 'ENOTDIR') return `${folder} (hooks.dir) is not a folder`;
  return `the folder ${folder} (hooks.dir) cannot be read (${code})`;
}

async function fileProblem(path: string): Promise<FoundHook> {
  try {
    if (!(await stat(path)).isFile()) return { problem: `${path} is not a file` };
    await access(path, constants.X_OK);
    return { path };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { problem: code === 'EACCES' ? `${path} is not executable` : `${path} cannot be read (${code})` };
  }
}
