/** Looks for passwords where others can read them: logs, command lines, open files, the report. */

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Paths } from '../folder.ts';
import { readReport } from '../report-file.ts';
import { homeOf } from './servers.ts';

/** A log may grow while the lab runs; its end is not more telling than its last part. */
const MOST_BYTES = 64 * 1024 * 1024;

export async function exposedSecrets(paths: Paths, secrets: readonly string[]): Promise<string[]> {
  const holds = (text: string) => secrets.some((secret) => text.includes(secret));
  const files = filesToSearch(paths).filter((path) => holds(readSome(path)));
  const places = files.map((path) => relative(paths.folder, path));
  if (holds(readReport() ?? '')) places.push('the report');
  return [
    ...places,
    ...commandLines()
      .filter(({ text }) => holds(text))
      .map(({ pid }) => `the command line of pid ${pid}`),
  ];
}

/** Every log, whoever may read it, and every other file that others may read. The servers' own data is theirs. */
function filesToSearch(paths: Paths): string[] {
  const own = new Set([paths.source, paths.target, paths.grader]);
  const found: string[] = [];
  const visit = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory() && !own.has(path)) visit(path);
      if (entry.isFile() && path !== paths.ledger && (path.endsWith('.log') || isOpenToOthers(path)))
        found.push(path);
    }
  };
  visit(paths.folder);
  const serverLogs = [paths.source, paths.target].map((home) => join(homeOf(home), 'server.log'));
  return [...found, ...serverLogs.filter((path) => existsSync(path))];
}

const isOpenToOthers = (path: string): boolean => (statSync(path).mode & 0o044) !== 0;

function readSome(path: string): string {
  const text = readFileSync(path);
  return text.subarray(Math.max(0, text.length - MOST_BYTES)).toString('latin1');
}

/** Where there is a /proc. */
function commandLines(): { pid: string; text: string }[] {
  if (!existsSync('/proc/self/cmdline')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [{ pid, text: readFileSync(`/proc/${pid}/cmdline`, 'latin1') }];
      } catch {
        return []; // gone meanwhile
      }
    });
}
