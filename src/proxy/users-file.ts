/**
 * Roles whose verifiers the server does not show (managed services hide pg_authid), one a line:
 *
 *     "role" "password, SCRAM-SHA-256 verifier or md5 hash"
 *
 * Quotes inside are doubled; lines that begin with ; or # are comments. Read again when it has changed.
 */

import { readFileSync, statSync } from 'node:fs';
import { UsageError } from '../domain/errors.ts';

const LINE = /^\s*"((?:[^"]|"")*)"\s+"((?:[^"]|"")*)"\s*$/;
const OTHERS_MAY = 0o077;

export class UsersFile {
  readonly #path: string;
  #changedMs = -1;
  #secrets = new Map<string, string>();

  /** @throws {UsageError} `users_file_open_to_others`, `users_file_unreadable`, `users_file_malformed` */
  constructor(path: string) {
    this.#path = path;
    this.#refresh();
  }

  /** Password or verifier of a role; undefined when the file does not list it. */
  secretOf(role: string): string | undefined {
    this.#refresh();
    return this.#secrets.get(role);
  }

  #refresh(): void {
    const { mtimeMs, mode } = this.#stat();
    if (mtimeMs === this.#changedMs) return;
    if ((mode & OTHERS_MAY) !== 0) {
      throw new UsageError('users_file_open_to_others', `Others may read the users file ${this.#path}`, {
        hint: `It holds secrets: chmod 600 ${this.#path}`,
      });
    }
    this.#secrets = parseUsers(readFileSync(this.#path, 'utf8'), this.#path);
    this.#changedMs = mtimeMs;
  }

  #stat() {
    try {
      return statSync(this.#path);
    } catch (cause) {
      throw new UsageError('users_file_unreadable', `Cannot read the users file ${this.#path}`, { cause });
    }
  }
}

/** The message names the line, never what is in it. */
function parseUsers(text: string, path: string): Map<string, string> {
  const secrets = new Map<string, string>();
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*([;#].*)?$/.test(line)) continue;
    const [, role, secret] = LINE.exec(line) ?? [];
    if (!role || !secret) {
      throw new UsageError('users_file_malformed', `Line ${index + 1} of ${path} is not "role" "secret"`);
    }
    secrets.set(role.replaceAll('""', '"'), secret.replaceAll('""', '"'));
  }
  return secrets;
}
