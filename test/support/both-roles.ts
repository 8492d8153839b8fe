/** Roles of both clusters under one name, gone afterwards with all that is theirs. */

import { ident, sql } from '../../src/postgres/sql.ts';
import type { Database } from './database.ts';

export async function withRoles(
  { source, target }: { readonly source: Database; readonly target: Database },
  work: (reader: string, writer: string) => Promise<void>,
): Promise<void> {
  const names = [`${source.name}_reader`, `${source.name}_writer`] as const;
  for (const side of [source, target])
    for (const name of names) await side.connection.script(sql`CREATE ROLE ${ident(name)}`);
  try {
    await work(...names);
  } finally {
    for (const side of [source, target])
      for (const name of names)
        await side.connection.script(sql`DROP OWNED BY ${ident(name)} CASCADE; DROP ROLE ${ident(name)}`);
  }
}
