/** Where the user's own files are looked for. */

import { userInfo } from 'node:os';

/** As libpq: HOME, and without it the account's. A number that no account has, as a container may run under, has no home. */
export function homeFolder(): string {
  if (process.env.HOME) return process.env.HOME;
  try {
    return userInfo().homedir;
  } catch {
    return '/nonexistent';
  }
}
