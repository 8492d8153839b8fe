/** Case 1: row-level security that binds even the owner of the table. */

import { expect } from 'vitest';
import { Connection } from '../../src/postgres/connection.ts';
import { trusted } from '../../src/postgres/sql.ts';
import { test } from '../support/fixture.ts';
import { withScene } from '../support/migration.ts';

test.for([
  [15, 16],
  [16, 17],
] as const)('forced on an ordinary owner: %i to %i, there and back', async ([from, to], { ownServers }) => {
  const [old, fresh] = await ownServers([from, to]);
  if (old === undefined || fresh === undefined) throw new Error('no servers');
  const ends = { source: { address: old.address() }, target: { address: fresh.address() } };
  const say = async (side: 'source' | 'target', text: string) => {
    await using session = await Connection.open(ends[side].address, { purpose: 'test' });
    await session.script(trusted(text));
  };
  await say('source', 'CREATE ROLE app LOGIN');
  await say(
    'source',
    `CREATE TABLE public.t (id int PRIMARY KEY, tenant text); ALTER TABLE public.t OWNER TO app;
     CREATE POLICY own ON public.t USING (tenant = current_setting('app.tenant', true));
     ALTER TABLE public.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
     INSERT INTO public.t VALUES (1, 'a'), (2, 'b')`,
  );
  await withScene(ends, async (scene) => {
    const findings = await scene.check();
    expect(findings.filter(({ severity }) => severity === 'blocker')).toEqual([]);
    await scene.sync();
    await say(
      'source',
      "INSERT INTO public.t VALUES (3, 'c'); UPDATE public.t SET tenant = 'z' WHERE id = 1",
    );
    await scene.expectEqual();
    await scene.cutover();
    await say('target', "INSERT INTO public.t VALUES (4, 'd'); DELETE FROM public.t WHERE id = 2");
    await scene.expectEqual();
    await scene.rollback();
    await scene.expectEqual();
    expect(await scene.abort()).toEqual({ leftovers: [] });
  });
});
