/** The folder of one embedded server: what it holds, who owns it, and which left-overs may be swept. */

import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isRunning, processStat } from './process-tree.ts';
import { type Account, accountMay } from './server-account.ts';

const PREFIX = 'pgglide-server-';
const RECORD = 'server.json';

/** What a later start needs to open the same server again. Holds the password: mode 0600. */
export interface ServerRecord {
  readonly majorVersion: number;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

interface Owner {
  readonly pid: number;
  /** See processStat(); undefined without /proc. */
  readonly startedAt: string | undefined;
}

export interface Home {
  /** Owned by the server's account; holds data/, server.log and, when needed, binaries/. */
  readonly path: string;
  readonly dataDirectory: string;
  readonly logPath: string;
  /** The folder that the caller named, when it is another: it only says where. */
  readonly pointer: string | undefined;
  /** True: the folder goes when the server goes. */
  readonly temporary: boolean;
}

/** A folder under the system's temporary one, marked as ours and as this process's. */
export function temporaryHome(account: Account | undefined): Home {
  const path = mkdtempSync(join(tmpdir(), PREFIX));
  const owner: Owner = { pid: process.pid, startedAt: processStat(process.pid)?.startedAt };
  writeFileSync(join(path, 'owner.json'), JSON.stringify(owner), { mode: 0o600 });
  give(path, account);
  return layout(path, true);
}

/**
 * `directory` itself where the server's account can reach it. Where it cannot (root's own
 * folders are closed to others), a folder under the system's temporary one, which
 * `directory`/elsewhere names so that a later start finds it.
 */
export function persistentHome(directory: string, account: Account | undefined): Home {
  const path = resolve(directory);
  mkdirSync(path, { recursive: true });
  const pointer = join(path, 'elsewhere');
  if (existsSync(pointer)) return layout(readFileSync(pointer, 'utf8'), false, path);
  if (account === undefined) return layout(path, false);
  if (accountMay(account, '-x', [path])) {
    give(path, account);
    return layout(path, false);
  }
  const elsewhere = mkdtempSync(join(tmpdir(), 'pgglide-home-'));
  give(elsewhere, account);
  writeFileSync(pointer, elsewhere);
  return layout(elsewhere, false, path);
}

const layout = (path: string, temporary: boolean, pointer?: string): Home => ({
  path,
  pointer,
  dataDirectory: join(path, 'data'),
  logPath: join(path, 'server.log'),
  temporary,
});

function give(path: string, account: Account | undefined): void {
  if (account === undefined) return;
  chownSync(path, account.uid, account.gid);
  chmodSync(path, 0o700);
}

export function readRecord(home: Home): ServerRecord | undefined {
  const path = join(home.path, RECORD);
  if (!existsSync(path)) return undefined;
  return JSON.parse(readFileSync(path, 'utf8')) as ServerRecord;
}

export function writeRecord(home: Home, record: ServerRecord): void {
  const path = join(home.path, RECORD);
  writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** The server may outlive this process: its folder is nobody's to sweep. */
export function disown(home: Home): void {
  rmSync(join(home.path, 'owner.json'), { force: true });
}

export function removeHome(home: Home): void {
  for (const path of [home.path, home.pointer]) {
    if (path !== undefined) rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  }
}

/**
 * Removes temporary homes whose process died while no supervisor ran (a server that was stopped
 * or crashed on purpose at that moment, or a machine that lost power).
 */
export function sweepStaleHomes(folder = tmpdir()): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (name.startsWith(PREFIX) && isStale(path)) rmSync(path, { recursive: true, force: true });
  }
}

function isStale(path: string): boolean {
  try {
    // Anyone may write to a temporary folder: believe only what our own user, or root, left there.
    const { uid } = lstatSync(join(path, 'owner.json'));
    if (uid !== process.getuid?.()) return false;
    const owner = JSON.parse(readFileSync(join(path, 'owner.json'), 'utf8')) as Owner;
    const ownerLives = isRunning(owner.pid) && processStat(owner.pid)?.startedAt === owner.startedAt;
    return !ownerLives && postmasterOf(join(path, 'data')) === undefined;
  } catch {
    return false; // gone meanwhile, not ours, or half made by someone at this moment
  }
}

/** The pid of the postmaster that runs on this data directory; a stale postmaster.pid names none. */
export function postmasterOf(dataDirectory: string): number | undefined {
  const path = join(dataDirectory, 'postmaster.pid');
  if (!existsSync(path)) return undefined;
  const pid = Number.parseInt(readFileSync(path, 'utf8'), 10);
  if (!isRunning(pid)) return undefined;
  if (process.platform !== 'linux') return pid;
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === dataDirectory ? pid : undefined;
  } catch {
    return pid; // not ours to look at: assume the worst
  }
}
