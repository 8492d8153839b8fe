/** Several databases of one cluster move together: one switch, and each with links and fences of its own. */

import type pg from 'pg';
import { describe, expect, vi } from 'vitest';
import { SIDES } from '../../src/domain/names.ts';
import type { Database } from '../support/database.ts';
import { bound, holdSubscriptionSql, openSession, type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';
import { type OneName, withSameDatabases } from '../support/several.ts';

/** Each moves two databases several times. */
vi.setConfig({ testTimeout: 180_000 });

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
        const { phase } = await scene.status();
        if (phase === 'switched') await scene.rollback();
        if (phase !== 'completed') await scene.abort();
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
      await scene.sync();
      expect(await scene.verify()).toMatchObject({
        summary: {
          equal: true,
          tables: [{ table: `${source.name}.public.orders` }, { table: `${billing.name}.public.orders` }],
        },
      });
      for (const direction of ['cutover', 'rollback', 'cutover'] as const) {
        const { summary, verification } = await scene[direction]();
        expect(summary).toMatchObject({ direction, sequences: 4, waits: { failedRequests: 0 } });
        expect(verification).toMatchObject({ equal: true, mode: 'pinned', sequencesEqual: true });
        const [open, shut] = direction === 'cutover' ? (['target', 'source'] as const) : SIDES;
        await expect({ source, target }[shut].exec(insert)).rejects.toMatchObject(REFUSED);
        await expect(billing[shut].exec(insert)).rejects.toMatchObject(REFUSED);
        await { source, target }[open].exec(insert);
        await billing[open].exec(insert);
      }
      const [shopNotes, billNotes] = [await shop?.stop(), await bills?.stop()];
      for (const client of clients) await client.end();
      await scene.expectEqual();
      for (const side of [source, target]) expect(await notesIn(side, 'shop')).toEqual(shopNotes);
      for (const side of [billing.source, billing.target])
        expect(await notesIn(side, 'bill')).toEqual(billNotes);
      expect(await target.rows("SELECT 1 FROM orders WHERE note LIKE 'bill%'")).toEqual([]);
      const status = await scene.status();
      expect(status).toMatchObject({ phase: 'switched', activeSide: 'target', epoch: 3, problems: [] });
      expect(status.source.address).toContain(billing.name);
    });
  });
});

/** What of ours is in a database. */
async function oursIn(database: Database): Promise<string[]> {
  const rows = await database.rows<{ what: string }>(`
    SELECT 'slot ' || slot_name AS what FROM pg_replication_slots WHERE database = current_database()
    UNION ALL SELECT 'publication ' || pubname FROM pg_publication
    UNION ALL SELECT 'subscription ' || subname FROM pg_subscription
      WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname = 'pgglide'
    UNION ALL SELECT 'fence' FROM pg_trigger WHERE tgname = 'pgglide_fence'
    UNION ALL SELECT 'table ' || relname FROM pg_class WHERE relname = 'orders'`);
  return rows.map(({ what }) => what);
}

describe('what belongs to all of them', () => {
  test('abort leaves nothing in any database, and no role', async ({ source, target }) => {
    await play({ source, target }, async (scene, billing) => {
      await scene.sync();
      const slots = await source.rows<{ name: string }>('SELECT slot_name AS name FROM pg_replication_slots');
      expect(slots.some(({ name }) => name.includes(billing.name.slice(0, 12)))).toBe(true);
      await scene.cutover();
      await scene.rollback();
      expect(await scene.abort()).toEqual({ leftovers: [] });
      for (const side of [source, billing.source]) expect(await oursIn(side)).toEqual(['table orders']);
      for (const side of [target, billing.target]) expect(await oursIn(side)).toEqual([]);
      expect(
        await target.rows(`SELECT 1 FROM pg_roles WHERE rolname = '${appOf({ source, target })}'`),
      ).toEqual([]);
    });
  });

  test('what the pause cannot do in one of them goes back in both', async ({ source, target }) => {
    await play({ source, target }, async (scene, billing) => {
      await scene.sync();
      const hold = await holdSubscriptionSql(billing.target);
      scene.settings = {
        ...scene.settings,
        cutover: { ...scene.settings.cutover, pauseBudgetMs: 1000 },
      };
      const cutover = scene.run((migration) => migration.cutover(), {
        traffic: (real) => ({
          ...bound(real),
          committing: async (to, epoch) => {
            await real.committing(to, epoch);
            await billing.target.exec(hold);
          },
        }),
      });
      await expect(cutover).rejects.toMatchObject({ exitCode: 6 });
      await expect(cutover).rejects.toThrow(`${billing.name}: `);
      await billing.target.exec('ROLLBACK');
      await source.exec(insert);
      await billing.source.exec(insert);
      await expect(target.exec(insert)).rejects.toMatchObject(REFUSED);
      await expect(billing.target.exec(insert)).rejects.toMatchObject(REFUSED);
      const { summary } = await scene.cutover();
      expect(summary.direction).toBe('cutover');
    });
  });

  test('check counts slots and locks for both, names the database, and says once what both share', async ({
    source,
    target,
  }) => {
    await play({ source, target }, async (scene, billing) => {
      await billing.source.exec('CREATE TABLE public.nameless (n int)');
      const findings = await scene.check();
      const nameless = findings.filter(({ title, object }) => `${title}${object}`.includes('nameless'));
      expect(nameless.map(({ database }) => database)).toEqual([billing.name]);
      expect(findings.filter(({ id }) => id === 'PGG104')).toHaveLength(1);
      await billing.source.exec('DROP TABLE public.nameless');
    });
  });

  test('rows that differ in one are shown with its name, and repaired there only', async ({
    source,
    target,
  }) => {
    await play({ source, target }, async (scene, billing) => {
      await scene.sync();
      await billing.target.exec(
        "SET session_replication_role = replica; SET pgglide.passes_fence = on; UPDATE orders SET note = 'x' WHERE id = 7",
      );
      const { summary, differingRows } = await scene.verify();
      expect(summary.tables.map(({ table, equal }) => [table, equal])).toEqual([
        [`${source.name}.public.orders`, true],
        [`${billing.name}.public.orders`, false],
      ]);
      expect(differingRows).toMatchObject([{ database: billing.name, key: [{ name: 'id', value: '7' }] }]);
      const unclear = scene.run((migration) => migration.repair('public.orders'));
      await expect(unclear).rejects.toMatchObject({ code: 'table_not_in_plan' });
      const repaired = await scene.run((migration) => migration.repair(`${billing.name}.public.orders`));
      expect(repaired).toMatchObject({ repaired: 1, verification: { summary: { equal: true } } });
    });
  });
});

describe('a database', () => {
  test('without any table moves with what it has', async ({ source, target }) => {
    await play({ source, target }, async (scene, billing) => {
      await billing.source.exec('DROP TABLE public.orders');
      await scene.sync();
      await billing.source.exec("SELECT nextval('number') FROM generate_series(1, 5)");
      const { verification } = await scene.cutover();
      expect(verification?.equal).toBe(true);
      expect(await billing.target.rows("SELECT nextval('number')")).toEqual([{ nextval: 1005 }]);
    });
  });

  test('that joins later is copied by the next sync, and no switch begins before', async ({
    source,
    target,
  }) => {
    await play({ source, target }, async (scene, billing) => {
      const both = scene.settings;
      scene.settings = { ...both, otherDatabases: [] };
      await scene.sync();
      scene.settings = both;
      const early = scene.cutover();
      await expect(early).rejects.toMatchObject({ code: 'databases_joined', exitCode: 7 });
      await scene.sync();
      expect((await scene.verify()).summary.tables).toHaveLength(2);
      expect(await billing.target.rows('SELECT count(*) FROM orders')).toEqual([{ count: 501 }]);

      scene.settings = { ...both, otherDatabases: [] };
      const fewer = scene.cutover();
      await expect(fewer).rejects.toMatchObject({ code: 'databases_left_out', exitCode: 3 });
      scene.settings = both;
    });
  });

  test('that joins while the target is active: what is told to be done works', async ({ source, target }) => {
    await play({ source, target }, async (scene, billing) => {
      const both = scene.settings;
      scene.settings = { ...both, otherDatabases: [] };
      await scene.sync();
      await scene.cutover();
      scene.settings = both;
      for (const command of [scene.rollback, scene.sync])
        await expect(command()).rejects.toMatchObject({
          code: 'databases_joined',
          message: expect.stringContaining(billing.name),
          hint: expect.stringContaining(`databases: [${source.name}]. `),
        });
      scene.settings = { ...both, otherDatabases: [] };
      await scene.rollback();
      scene.settings = both;
      await scene.sync();
    });
  });

  test('that the target lacks is told with the statement that makes it', async ({ source, target }) => {
    await source.exec(
      `CREATE DATABASE "${source.name} half" TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`,
    );
    try {
      await withScene({ source, target }, async (scene) => {
        scene.settings = { ...scene.settings, otherDatabases: [`${source.name} half`] };
        const refused = scene.check();
        await expect(refused).rejects.toMatchObject({
          code: 'database_missing',
          exitCode: 4,
          hint: expect.stringContaining(
            `CREATE DATABASE "${source.name} half" TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`,
          ),
        });
        scene.settings = { ...scene.settings, otherDatabases: [`${source.name}_nowhere`] };
        const unknown = scene.check();
        await expect(unknown).rejects.toMatchObject({ code: 'database_missing' });
      });
    } finally {
      await source.exec(`DROP DATABASE "${source.name} half"`);
    }
  });

  test('that lets nobody in is refused, and is none of "all"', async ({ source, target }) => {
    await withSameDatabases({ source, target }, async (billing) => {
      const allow = (isAllowed: boolean) =>
        source.exec(`ALTER DATABASE ${billing.name} ALLOW_CONNECTIONS ${isAllowed}`);
      await allow(false);
      try {
        await withScene({ source, target }, async (scene) => {
          scene.settings = { ...scene.settings, otherDatabases: [billing.name] };
          const refused = scene.check();
          await expect(refused).rejects.toMatchObject({ code: 'database_closed', exitCode: 4 });
          scene.settings = { ...scene.settings, otherDatabases: 'all' };
          const addressNow = async () => (await scene.status()).source.address;
          expect(await addressNow()).not.toContain(billing.name);
          await allow(true);
          expect(await addressNow()).toContain(billing.name);
        });
      } finally {
        await allow(true);
      }
    });
  });
});
