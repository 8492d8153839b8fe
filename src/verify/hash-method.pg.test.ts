import { expect } from 'vitest';
import { test } from '../../test/support/fixture.ts';
import { Connection } from '../postgres/connection.ts';
import { planTables } from '../schema/plan-tables.ts';
import { fingerprintTable } from './fingerprint-table.ts';
import { chooseHashMethod, readServerTraits } from './hash-method.ts';
import { pinSession } from './pin-session.ts';
import type { HashMethod } from './row-hash.ts';

const SCHEMA = `
  CREATE TYPE mood AS ENUM ('a', 'b');
  CREATE TABLE t (id bigint PRIMARY KEY, mood mood, n numeric, f float8, c "char", j jsonb, ts timestamptz, a int[]);
  INSERT INTO t SELECT n, 'a', 1.0, '-0', 'c', '{"a": 1.0}', '2020-01-01', '{1}' FROM generate_series(1, 2000) n;
  INSERT INTO t (id) VALUES (0)`;

const CHANGES = [
  'DELETE FROM t WHERE id = 1',
  'UPDATE t SET id = id + 4294967296 WHERE id = 1',
  `UPDATE t SET mood = 'b' WHERE id = 1`,
  'UPDATE t SET n = 1.00 WHERE id = 1',
  'UPDATE t SET n = -1.0 WHERE id = 1',
  'UPDATE t SET f = 0.0 WHERE id = 1',
  `UPDATE t SET c = 'd' WHERE id = 1`,
  `UPDATE t SET j = '{"a": -1.0}' WHERE id = 1`,
  `UPDATE t SET ts = ts + interval '1 us' WHERE id = 1`,
  `UPDATE t SET a = '[0:0]={1}' WHERE id = 1`,
  'UPDATE t SET a = NULL WHERE id = 1',
];

const METHODS: readonly HashMethod[] = (['record', 'text', 'md5'] as const).flatMap((kind) => [
  { kind, recode: false },
  { kind, recode: true },
]);

test('every method gives both servers the same fingerprint, and sees every change', async ({
  source,
  target,
}) => {
  await Promise.all([source.exec(SCHEMA), target.exec(`CREATE TYPE first AS ENUM (); ${SCHEMA}`)]);
  await Promise.all([pinSession(source.connection), pinSession(target.connection)]);
  const [table] = (await planTables(source.connection)).tables;
  if (table === undefined) throw new Error('no table');
  for (const method of METHODS) {
    for (const bits of method.kind === 'record' ? ([64, 128] as const) : ([64] as const)) {
      const here = await fingerprintTable(source.connection, table, { method, bits });
      expect(here.fingerprint).toHaveLength(bits / 4);
      expect(await fingerprintTable(target.connection, table, { method, bits })).toEqual(here);
      for (const change of CHANGES) {
        await target.exec(`BEGIN; ${change}; COMMIT`);
        const there = await fingerprintTable(target.connection, table, { method, bits });
        expect({ change, method, same: there.fingerprint === here.fingerprint }).toEqual({
          change,
          method,
          same: false,
        });
        await target.exec('TRUNCATE t');
        await target.exec(SCHEMA.slice(SCHEMA.indexOf('INSERT')));
      }
    }
  }
});

test('both servers prove the fast method; one that is too old takes the text', async ({
  source,
  target,
  ownServers,
}) => {
  const [here, there] = await Promise.all(
    [source, target].map(({ connection }) => readServerTraits(connection)),
  );
  if (here === undefined || there === undefined) throw new Error('no traits');
  expect(chooseHashMethod({ source: here, target: there })).toEqual({ kind: 'record', recode: false });
  const [server] = await ownServers([13]);
  if (server === undefined) throw new Error('no server');
  await using old = await Connection.open(server.address(), { purpose: 'test' });
  const traits = await readServerTraits(old);
  expect(chooseHashMethod({ source: traits, target: there })).toEqual({ kind: 'text', recode: false });
});
