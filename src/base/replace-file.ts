/** Somebody else's file in a new version, never half written, and with the same mode and owner: who reads it must still be able to. */

import { access, chmod, chown, constants, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';

/** By a rename where that keeps the owner; a link stays one. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const file = await realpath(path);
  const temporary = await writeBeside(file, text);
  const isReplaced = temporary !== undefined && (await isRenamed(temporary, file));
  // Only root gives files away, and what is mounted by itself cannot be replaced: it is written in its place.
  if (!isReplaced) await writeFile(file, text);
}

async function isRenamed(temporary: string, file: string): Promise<boolean> {
  try {
    await rename(temporary, file);
    return true;
  } catch {
    await rm(temporary, { force: true });
    return false;
  }
}

/** Leaves the file itself alone. @throws why it cannot be replaced */
export async function tryToReplace(path: string): Promise<void> {
  const file = await realpath(path);
  const temporary = await writeBeside(file, '');
  await (temporary === undefined ? access(file, constants.W_OK) : rm(temporary));
}

/** @returns undefined where we may not give a file its owner */
async function writeBeside(path: string, text: string): Promise<string | undefined> {
  const { mode, uid, gid } = await stat(path);
  const temporary = `${path}.pgglide`;
  await rm(temporary, { force: true });
  try {
    await writeFile(temporary, text, { mode });
    // Whatever the caller's umask has taken from it.
    await chmod(temporary, mode);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  const isOwned = await chown(temporary, uid, gid).then(
    () => true,
    () => false,
  );
  if (isOwned) return temporary;
  await rm(temporary);
  return undefined;
}
