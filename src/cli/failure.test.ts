import { expect, test } from 'vitest';
import { PrerequisiteError } from '../domain/errors.ts';
import { describeFailure } from './failure.ts';

test('a name that holds a control sequence does not reach the terminal as one; our own lines stay', () => {
  const error = new PrerequisiteError(
    'table_missing',
    'Not on the source: public."\x1b[2Jx\x07"\n  and more',
    {
      hint: 'Look at "\x9b31m".',
    },
  );
  expect(describeFailure(error, { json: false, verbose: false })).toBe(
    'error table_missing: Not on the source: public."?[2Jx?"\n  and more\nhint: Look at "?31m".',
  );
});
