/** Several databases of one cluster move together: one switch, and each with links and fences of its own. */

import type pg from 'pg';
import { describe, expect } from 'vitest';
import type { Database } from '../support/database.ts';
import { openSession, type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';
import { type OneName, withSameDatabases } from '../support/several.ts';

interface Ends {
  readonly source: Database;
  readonly target: Database;
}

/** The application's own role. */
const appOf = ({ source }: Ends): string => `${source.name}_app`;

/** The same table in both databases, with other rows. */
const orders = (first: number, app: string) => `
  CREATE TABLE public.orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text NOT NULL);
  INSERT INTO public.orders (note) SELECT 'old ' || n FROM generate_series(${first}, ${first + 500}) AS n;
  CREATE SEQUENCE public.number START ${first};
  GRANT ALL ON public.orders, public.number TO ${app}`;

async function play(ends: Ends, work: (scene: Scene, billing: OneName) => Promise<void>): Promise<void> {
  await withSameDatabases(ends, async (billing) => {
    const app = appOf(ends);
    await ends.source.exec(`CREATE ROLE ${app} LOGIN PASSWORD 'app'; ${orders(1, app)}`);
    await billing.source.exec(orders(1000, app));
    await withScene(ends, async (scene) => {
      scene.settings = { ...scene.settings, otherDatabases: [billing.name] };
      try {
        await work(scene, billing);
      } finally {
        const { phase } = await scene.run((migration) => migration.status());
        if (phase === 'switched') await scene.run((migration) => migration.rollback());
        if (phase !== 'completed') await scene.run((migration) => migration.abort());
      }
    });
  });
}

/** Writes through the proxy until stopped, one after the other; the notes that were acknowledged. */
function writeTo(client: pg.Client, name: string): { stop(): Promise<string[]> } {
  const acknowledged: string[] = [];
  let isOver = false;
  client.on('error', () => undefined);
  const writing = (async () => {
    for (let n = 0; !isOver; n += 1) {
      const note = `${name} ${n}`;
      await client.query("INSERT INTO orders (note) VALUES ($1 || '#' || nextval('number'))", [note]);
      acknowledged.push(note);
    }
  })().catch((error: unknown) => error);
  return {
    async stop() {
      isOver = true;
      expect(await writing).toBeUndefined();
      return acknowledged;
    },
  };
}

const notesIn = async (database: Database, name: string): Promise<string[]> =>
  (
    await database.rows<{ note: string }>(
      `SELECT split_part(note, '#', 1) AS note FROM orders WHERE note LIKE '${name} %' ORDER BY id`,
    )
  ).map(({ note }) => note);

const REFUSED = { code: '25006' };
const insert = "INSERT INTO orders (note) VALUES ('around')";

describe('two databases', () => {
  test('with writes going on in both: there, back, and there again, and nothing is lost', async ({
    source,
    target,
  }) => {
    await play({ source, target }, async (scene, billing) => {
      const through = (database: string) =>
        openSession({
          ...source.address,
          ...scene.proxy,
          database,
          user: appOf({ source, target }),
          password: 'app',
        });
      const clients = [await through(source.name), await through(billing.name)];
      const [shop, bills] = clients.map((client, place) => writeTo(client, place === 0 ? 'shop' : 'bill'));
      await scene.run((migration) => migration.sync());
      expect(await scene.run((migration) => migration.verify())).toMatchObject({
        summary: {
          equal: true,
          tables: [{ table: `${source.name}.public.orders` }, { table: `${billing.name}.public.orders` }],
        },
      });
      for (const direction of ['cutover', 'rollback', 'cutover'] as const) {
        const { summary, verification } = await scene.run((migration) => migration[direction]());
        expect(summary).toMatchObject({ direction, sequences: 4, waits: { failedRequests: 0 } });
        expect(verification).toMatchObject({ equal: true, mode: 'pinned', sequencesEqual: true });
        const [open, shut] =
          direction === 'cutover' ? (['target', 'source'] as const) : (['source', 'target'] as const);
        await expect({ source, target }[shut].exec(insert)).rejects.toMatchObject(REFUSED);
        await expect(billing[shut].exec(insert)).rejects.toMatchObject(REFUSED);
        await { source, target }[open].exec(insert);
        await billing[open].exec(insert);
      }
      const [shopNotes, billNotes] = [await shop?.stop(), await bills?.stop()];
      for (const client of clients) await client.end();
      expect((await scene.run((migration) => migration.verify())).summary.equal).toBe(true);
      for (const side of [source, target]) expect(await notesIn(side, 'shop')).toEqual(shopNotes);
      for (const side of [billing.source, billing.target])
        expect(await notesIn(side, 'bill')).toEqual(billNotes);
      expect(await target.rows("SELECT 1 FROM orders WHERE note LIKE 'bill%'")).toEqual([]);
      const status = await scene.run((migration) => migration.status());
      expect(status).toMatchObject({ phase: 'switched', activeSide: 'target', epoch: 3, problems: [] });
      expect(status.source.address).toContain(billing.name);
    });
  });
});
