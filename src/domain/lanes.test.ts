import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { divideTables, type LanesWanted, planLanes, returnLanesOf } from './lanes.ts';
import { qualified } from './names.ts';
import type { PlannedTable } from './plan.ts';

interface Sketch {
  readonly writes?: number;
  readonly bytes?: number;
  readonly tiedTo?: readonly string[];
}

const named = (name: string) => ({ schema: 'public', name });
const table = (name: string, { writes = 0, bytes = 0, tiedTo = [] }: Sketch = {}): PlannedTable => ({
  ...named(name),
  isPartitioned: false,
  columns: ['id'],
  heaps: [{ ...named(name), bytes, blocks: 1 }],
  rowEstimate: 1,
  replicaIdentity: 'default',
  writeCount: writes,
  tiedTo: tiedTo.map(named),
});
const names = (lanes: readonly (readonly { readonly name: string }[])[]) =>
  lanes.map((members) => members.map(({ name }) => name));
const divide = (tables: readonly PlannedTable[], lanes: number, by: LanesWanted['divide'] = 'groups') =>
  names(divideTables(tables, { lanes, divide: by }));

describe('tables are divided', () => {
  test('by what was written', () => {
    const tables = [table('a', { writes: 70 }), table('b', { writes: 60 }), table('c', { writes: 40 })];
    expect(divide([...tables, table('d', { writes: 30 })], 2)).toEqual([
      ['a', 'd'],
      ['b', 'c'],
    ]);
  });

  test('by size, where nothing is known to be written', () => {
    const tables = [table('a', { bytes: 10 }), table('b', { bytes: 90 }), table('c', { bytes: 85 })];
    expect(divide(tables, 2)).toEqual([['b'], ['a', 'c']]);
  });

  test('by their number, where neither is known', () => {
    expect(
      divide(
        ['a', 'b', 'c', 'd'].map((name) => table(name)),
        2,
      ),
    ).toEqual([
      ['a', 'c'],
      ['b', 'd'],
    ]);
  });

  test('what is tied stays together, also through a third table', () => {
    const tables = [
      table('orders', { writes: 50, tiedTo: ['customer'] }),
      table('line', { writes: 50, tiedTo: ['orders', 'elsewhere'] }),
      table('customer'),
      table('log', { writes: 60 }),
      table('event', { writes: 40 }),
    ];
    expect(divide(tables, 3)).toEqual([['orders', 'line', 'customer'], ['log'], ['event']]);
    expect(divide(tables, 2)).toEqual([
      ['orders', 'line', 'customer'],
      ['log', 'event'],
    ]);
    expect(divide(tables, 5, 'tables')).toHaveLength(5);
  });

  test('there is no lane without a table, and always one', () => {
    expect(divide([table('a'), table('b', { tiedTo: ['a'] })], 4)).toEqual([['a', 'b']]);
    expect(divide([], 4)).toEqual([[]]);
  });

  test('each table is in exactly one lane, whatever is asked for', () => {
    const sketches = fc.array(
      fc.record({ writes: fc.nat(), bytes: fc.nat(), tiedTo: fc.array(fc.nat({ max: 20 }).map(String)) }),
      { maxLength: 20 },
    );
    const wanted = fc.record({
      lanes: fc.integer({ min: 1, max: 8 }),
      divide: fc.constantFrom('groups' as const, 'tables' as const),
    });
    fc.assert(
      fc.property(sketches, wanted, (all, want) => {
        const tables = all.map((sketch, place) => table(String(place), sketch));
        const lanes = divideTables(tables, want);
        expect(lanes.flat().map(qualified).sort()).toEqual(tables.map(qualified).sort());
        expect(lanes.length).toBeLessThanOrEqual(want.lanes);
        if (tables.length > 0) expect(lanes.every((members) => members.length > 0)).toBe(true);
        if (want.divide === 'tables') return;
        const laneOf = new Map(lanes.flatMap((members, lane) => members.map(({ name }) => [name, lane])));
        for (const { name, tiedTo } of tables)
          for (const other of tiedTo ?? [])
            if (laneOf.has(other.name)) expect(laneOf.get(other.name)).toBe(laneOf.get(name));
      }),
    );
  });
});

test('new lanes are numbered from the first free one on', () => {
  const lanes = planLanes('shop', 'forward', [table('a'), table('b')], { lanes: 2, divide: 'groups' }, 4);
  expect(lanes.map(({ names: { lane } }) => lane)).toEqual([4, 5]);
});

describe('the lanes of the way back', () => {
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(named) as [
    ReturnType<typeof named>,
    ...ReturnType<typeof named>[],
  ];
  const of = (...args: Parameters<typeof returnLanesOf>) =>
    [...returnLanesOf(...args)].map(([lane, members]) => [lane, members.map(({ name }) => name)]);
  const all = [a, b, c, d].filter((one) => one !== undefined);
  const out = all.map((one) => [one]);

  test('mirror those of the way out', () => {
    expect(of(out, [], all, 4)).toEqual([
      [1, ['a']],
      [2, ['b']],
      [3, ['c']],
      [4, ['d']],
    ]);
  });
  test('are no more than were asked for', () => {
    expect(of(out, [], all, 1)).toEqual([[1, ['a', 'b', 'c', 'd']]]);
    expect(of(out, [], all, 3)).toEqual([
      [1, ['a', 'd']],
      [2, ['b']],
      [3, ['c']],
    ]);
  });
  test('take in only what they do not carry yet', () => {
    expect(of(out, all.slice(0, 3), all, 2)).toEqual([[2, ['d']]]);
    expect(of(out, all, all, 2)).toEqual([]);
  });
});
