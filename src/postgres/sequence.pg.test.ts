import { expect } from 'vitest';
import { test } from '../../test/support/pair.ts';
import { readSequences, rehearseSetSequences, setSequences } from './sequence.ts';
import { sql } from './sql.ts';

const CREATE = `
  CREATE SEQUENCE "Odd one" INCREMENT BY -3 MAXVALUE -1 START -7;
  CREATE SEQUENCE far; SELECT setval('far', 9223372036854775806);
  CREATE SEQUENCE not_called; SELECT setval('not_called', 41, false);
  CREATE SEQUENCE fresh START 5;
  CREATE SEQUENCE ring MAXVALUE 2 CYCLE; SELECT nextval('ring') FROM generate_series(1, 3)`;
const NAMES = ['Odd one', 'far', 'not_called', 'fresh', 'ring'];

test('values are read and set to the digit, called or not, in the order asked for', async ({
  source,
  target,
}) => {
  await source.exec(CREATE);
  await target.exec(NAMES.map((name) => `CREATE SEQUENCE "${name}" MINVALUE -100 START 1`).join(';'));
  const sequences = NAMES.map((name) => ({ schema: 'public', name }));
  const values = await readSequences(source.connection, sequences);
  expect(values.map(({ name, lastValue, isCalled }) => [name, lastValue, isCalled])).toEqual([
    ['Odd one', '-7', false],
    ['far', '9223372036854775806', true],
    ['not_called', '41', false],
    ['fresh', '5', false],
    ['ring', '1', true],
  ]);
  await rehearseSetSequences(target.connection, values);
  expect((await readSequences(target.connection, sequences)).map(({ lastValue }) => lastValue)).toEqual(
    NAMES.map(() => '1'),
  );
  expect(await setSequences(target.connection, values)).toEqual(values);
  expect(await readSequences(target.connection, sequences)).toEqual(values);
  expect(await target.rows(`SELECT nextval('not_called') AS n, nextval('ring') AS m`)).toEqual([
    { n: 41, m: 2 },
  ]);
});

test('thousands of them do not need a deep stack', async ({ source }) => {
  await source.exec(`
    DO $$ BEGIN FOR i IN 1..2000 LOOP EXECUTE format('CREATE SEQUENCE s%s', i); END LOOP; END $$;
    SELECT nextval(oid::regclass) FROM pg_class WHERE relkind = 'S' AND relname LIKE '%5'`);
  const sequences = Array.from({ length: 2000 }, (_, n) => ({ schema: 'public', name: `s${n + 1}` }));
  await source.connection.script(sql`SET max_stack_depth = '100kB'`);
  const values = await readSequences(source.connection, sequences);
  expect(values.map(({ isCalled }) => isCalled)).toEqual(sequences.map(({ name }) => name.endsWith('5')));
  await rehearseSetSequences(source.connection, values);
  expect(await setSequences(source.connection, values)).toEqual(values);
});
