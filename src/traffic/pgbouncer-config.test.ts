import { expect, test } from 'vitest';
import { notedEpoch, pointAt } from './pgbouncer-config.ts';

const address = {
  host: 'new.db',
  port: 5433,
  user: 'u',
  database: "shop's",
  sslMode: 'prefer',
  connectTimeoutMs: 1_000,
} as const;

const INI = `[databases]
other = host=a port=1
shop = host=old.db port=5432 dbname=shop pool_size=20 connect_query='select 1'
; shop = host=comment
[pgbouncer]
shop = not a database
`;

test('only the place of the one database changes, and the epoch is noted', () => {
  const changed = pointAt(INI, 'shop', address, 3);
  expect(changed).toBe(
    INI.replace(
      'shop = host=old.db port=5432 dbname=shop pool_size',
      "; pgglide epoch=3\nshop = host=new.db port=5433 dbname='shop''s' pool_size",
    ),
  );
  expect(notedEpoch(changed)).toBe(3);
  const again = pointAt(changed, 'shop', address, 4);
  expect(notedEpoch(again)).toBe(4);
  expect(again.match(/pgglide/g)).toHaveLength(1);
});

test('a file that is included holds entries alone; an unknown database is an error', () => {
  expect(pointAt('shop = port=1\n', 'shop', address, 1)).toContain('host=new.db port=5433');
  expect(() => pointAt(INI, 'missing', address, 1)).toThrow('no entry for "missing"');
});
