import { expect, test } from 'vitest';
import { type Known, startingDirection } from './starting-direction.ts';
import { keptFor } from './state-file.ts';

const source = { side: 'source', epoch: 0 } as const;
const target = { side: 'target', epoch: 1 } as const;
const back = { side: 'source', epoch: 2 } as const;
const kept = (isSwitching = false, { side, epoch } = source as Known['row'] & object) => ({
  side,
  epoch,
  isSwitching,
});
const NO = undefined;

test.each<[string, Known['row'], Known['kept'], Known['assumed'], Known['row'] | undefined]>([
  ['first start, the target is there and empty', 'no-migration', NO, NO, source],
  ['first start, the target is not there yet', 'unreadable', NO, NO, undefined],
  ['first start, the target is not there yet, and the operator says so', 'unreadable', NO, 'source', source],
  [
    'the target is down, no state file, and the operator knows',
    'unreadable',
    NO,
    'target',
    { side: 'target', epoch: 0 },
  ],
  ['before the cutover', source, NO, NO, source],
  ['after the cutover, state file lost', target, NO, NO, target],
  ['after the cutover, the operator is mistaken', target, NO, 'source', target],
  ['state file older than the row', target, kept(), NO, target],
  ['state file newer than the row: another migration has begun since', source, kept(false, back), NO, source],
  ['killed in a switch, the row can be read', target, kept(true), NO, target],
  ['the target is down, the state file knows: source', 'unreadable', kept(), NO, source],
  ['the target is down, the state file knows: target', 'unreadable', kept(false, target), NO, target],
  [
    'the target is down, the state file knows better than the operator',
    'unreadable',
    kept(false, target),
    'source',
    target,
  ],
  ['killed in a switch, the target is down', 'unreadable', kept(true), NO, undefined],
  [
    'killed in a switch, the target is down, and the operator knows',
    'unreadable',
    kept(true),
    'target',
    { side: 'target', epoch: 0 },
  ],
  ['aborted since', 'no-migration', kept(), NO, source],
  ['its schema was dropped after it was completed', 'no-migration', kept(false, target), NO, target],
  ['the state file is of other servers, the row can be read', target, 'other-servers', NO, target],
  ['a power failure has emptied the state file, the row can be read', target, 'blank', NO, target],
  ['a power failure has emptied the state file, no migration', 'no-migration', 'blank', NO, undefined],
  ['the state file is of other servers, no migration', 'no-migration', 'other-servers', NO, undefined],
  [
    'the state file is of other servers, and the operator knows',
    'no-migration',
    'other-servers',
    'source',
    source,
  ],
  ['killed in a switch, and the migration is gone', 'no-migration', kept(true), NO, undefined],
])('%s', (_, row, file, assumed, direction) => {
  expect(startingDirection({ row, kept: file, assumed })).toEqual(direction);
});

const SERVERS = { source: 'pg16:5432', target: 'pg17:5432' };

test.each<[string, Known['kept'] & object, ReturnType<typeof keptFor>]>([
  ['of before servers were kept in it', kept(), kept()],
  [
    'of these servers',
    { ...kept(false, target), server: 'pg17:5432' },
    { ...kept(false, target), server: 'pg17:5432' },
  ],
  [
    'of the upgrade before: its target is the source now',
    { ...kept(false, target), server: 'pg16:5432' },
    { ...kept(), server: 'pg16:5432' },
  ],
  ['of servers that are none of these', { ...kept(), server: 'pg15:5432' }, 'other-servers'],
])('a state file %s', (_, file, meaning) => {
  expect(keptFor(SERVERS, file as Exclude<Known['kept'], string | undefined>)).toEqual(meaning);
});

test('no state file', () => {
  expect(keptFor(SERVERS, undefined)).toBeUndefined();
});
