import { expect, test } from 'vitest';
import { databaseSettings, parseConfigFile } from './settings.ts';

test('a config file holds a connection string or its parts', () => {
  expect(parseConfigFile('postgresql://shop@db/shop\n')).toEqual({
    connectionString: 'postgresql://shop@db/shop',
  });
  expect(
    parseConfigFile('{"host": "db", "port": 6432, "user": "shop", "password": "x", "other": 1}'),
  ).toEqual({
    host: 'db',
    port: 6432,
    user: 'shop',
    password: 'x',
  });
  expect(parseConfigFile('{"host": "db", "preparedStatements": false}')).toEqual({
    host: 'db',
    preparedStatements: false,
  });
});

test('the environment gives a connection string, or leaves it to PGHOST and its sisters', () => {
  expect(databaseSettings({ DATABASE_URL: 'postgresql://db/shop' })).toEqual({
    connectionString: 'postgresql://db/shop',
  });
  expect(databaseSettings({ PGHOST: 'db' })).toEqual({});
  expect(databaseSettings({ PGHOST: 'db', SHOP_PREPARED_STATEMENTS: 'off' })).toEqual({
    preparedStatements: false,
  });
});
