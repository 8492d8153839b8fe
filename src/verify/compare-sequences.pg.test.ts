import { expect } from 'vitest';
import { test } from '../../test/support/fixture.ts';
import { compareSequences } from './compare-sequences.ts';

const sequence = (name: string) => ({ schema: 'public', name });

test('sequences are compared to the digit: value, is_called, existence', async ({ source, target }) => {
  const schema = `CREATE SEQUENCE same; CREATE SEQUENCE behind; CREATE SEQUENCE called;
    CREATE SEQUENCE huge START 9223372036854775806; CREATE SEQUENCE down INCREMENT -1`;
  await Promise.all([source.exec(schema), target.exec(schema)]);
  await source.exec(`CREATE SEQUENCE new; SELECT setval('behind', 7); SELECT setval('called', 1, true);
    SELECT setval('huge', 9223372036854775807); SELECT nextval('down'), nextval('same')`);
  await target.exec(
    `SELECT setval('behind', 6); SELECT setval('called', 1, false); SELECT nextval('down'), nextval('same')`,
  );
  const names = ['same', 'behind', 'called', 'huge', 'down', 'new'].map(sequence);
  const differing = await compareSequences(source.connection, target.connection, names);
  expect(
    differing.map(({ sequence: { name }, source: here, target: there }) => [
      name,
      here && [here.lastValue, here.isCalled],
      there && [there.lastValue, there.isCalled],
    ]),
  ).toEqual([
    ['behind', ['7', true], ['6', true]],
    ['called', ['1', true], ['1', false]],
    ['huge', ['9223372036854775807', true], ['9223372036854775806', false]],
    ['new', ['1', false], undefined],
  ]);
  expect(await compareSequences(source.connection, target.connection, [])).toEqual([]);
});
