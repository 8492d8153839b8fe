import { expect, test } from 'vitest';
import { notedEpoch, pointAll } from './pgbouncer-config.ts';

const address = {
  host: 'new.db',
  port: 5433,
  user: 'u',
  database: "shop's",
  sslMode: 'prefer',
  connectTimeoutMs: 1_000,
} as const;

const at = (name: string, database = "shop's") => {
  const there = { ...address, database };
  return { name, servers: { source: there, target: there } };
};
const INI = `[databases]
other = host=a port=1
shop = host=old.db port=5432 dbname=shop pool_size=20 connect_query='select 1'
; shop = host=comment
[pgbouncer]
shop = not a database
`;

test('only the place of the one database changes, and the epoch is noted', () => {
  const changed = pointAll(INI, [at('shop')], 'target', 3);
  expect(changed).toBe(
    INI.replace(
      'shop = host=old.db port=5432 dbname=shop pool_size',
      "; pgglide epoch=3\nshop = host=new.db port=5433 dbname='shop''s' pool_size",
    ),
  );
  expect(notedEpoch(changed)).toBe(3);
  const again = pointAll(changed, [at('shop')], 'target', 4);
  expect(notedEpoch(again)).toBe(4);
  expect(again.match(/pgglide/g)).toHaveLength(1);
});

test('a file that is included holds entries alone; an unknown database is an error', () => {
  expect(pointAll('shop = port=1\n', [at('shop')], 'target', 1)).toContain('host=new.db port=5433');
  expect(() => pointAll(INI, [at('missing')], 'target', 1)).toThrow('no entry for "missing"');
});

test('of several databases each goes to its own, in whichever order they stand', () => {
  const changed = pointAll(INI, [at('shop', 'shop'), at('other', 'other')], 'target', 3);
  expect(changed).toContain(
    'other = host=new.db port=5433 dbname=other\n; pgglide epoch=3\nshop = host=new.db',
  );
  expect(
    pointAll(changed, [at('other', 'other'), at('shop', 'shop')], 'target', 4).match(/pgglide/g),
  ).toHaveLength(1);
});
