/** More databases beside a test's own, of the same name on both servers. */

import { randomBytes } from 'node:crypto';
import type { ServerAddress } from '../../src/config/server-address.ts';
import type { Side } from '../../src/domain/names.ts';
import { type Database, TestDatabase } from './database.ts';

interface Servers {
  readonly source: { readonly address: ServerAddress; readonly server: Database['server'] };
  readonly target: { readonly address: ServerAddress; readonly server: Database['server'] };
}

export type OneName = Readonly<Record<Side, Database>> & { readonly name: string };

/** Both are dropped when `work` is over, with what hangs on them. */
export async function withSameDatabases(
  { source, target }: Servers,
  work: (more: OneName) => Promise<void>,
): Promise<void> {
  const name = `t_${randomBytes(5).toString('hex')}_more`;
  const make = ({ address, server }: Servers[Side]) => TestDatabase.named({ address, ...server }, name);
  const [from, to] = await Promise.all([make(source), make(target)]);
  try {
    await work({ name, source: from, target: to });
  } finally {
    await Promise.all([from.close(), to.close()]);
    await from.drop();
    await to.drop();
  }
}
