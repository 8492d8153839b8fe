/** A migration between two servers that one test has for itself, because it stops them or fills their WAL. */

import type { EmbeddedServer } from '../../src/embedded/embedded-server.ts';
import { Connection } from '../../src/postgres/connection.ts';
import { sql } from '../../src/postgres/sql.ts';
import type { OwnServers } from './fixture.ts';
import { type Scene, withScene } from './migration.ts';

/** The source has an empty table `public.t (id int PRIMARY KEY)`. */
export async function withTable(
  ownServers: OwnServers,
  play: (scene: Scene, source: EmbeddedServer, target: EmbeddedServer) => Promise<void>,
): Promise<void> {
  const [source, target] = await ownServers([15, 16]);
  if (source === undefined || target === undefined) throw new Error('no servers');
  await createTable(source);
  const ends = { source: { address: source.address() }, target: { address: target.address() } };
  await withScene(ends, (scene) => play(scene, source, target));
}

async function createTable(server: EmbeddedServer): Promise<void> {
  await using session = await Connection.open(server.address(), { purpose: 'test' });
  await session.script(sql`CREATE TABLE public.t (id int PRIMARY KEY)`);
}
