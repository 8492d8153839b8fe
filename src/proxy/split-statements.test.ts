import { expect, test } from 'vitest';
import { prepareStatementsIn, splitStatements } from './split-statements.ts';

test('statements are told apart from what is quoted', () => {
  const text = `select ';' ; /* ; */ select $$;$$, $a$;$$;$a$;; select e'\\';' -- ;\n, "a;b"`;
  expect(splitStatements(text)).toEqual([
    `select ';'`,
    `/* ; */ select $$;$$, $a$;$$;$a$`,
    `select e'\\';' -- ;\n, "a;b"`,
  ]);
  for (const one of [`select $é$it's;$é$`, `select 1 /* a /* b */ '; */`, 'select a$b'])
    expect(splitStatements(`${one}; commit`)).toEqual([one, 'commit']);
});

test('a PREPARE is found among others, however its name is written', () => {
  const text =
    'create table t (); PREPARE Mine(int) as select 1; prepare "a ""b"(text) as select 2; prepare other as select 3';
  expect(prepareStatementsIn(text)('mine')).toBe('PREPARE Mine(int) as select 1');
  expect(prepareStatementsIn(text)('a "b')).toBe('prepare "a ""b"(text) as select 2');
  expect(prepareStatementsIn(text)('Mine')).toBeUndefined();

  const long = 'n'.repeat(70);
  const rare = `prepare Ärger as select 1; prepare ${long} as select 2; prepare other as select 3`;
  expect(prepareStatementsIn(rare)('Ärger')).toBe('prepare Ärger as select 1');
  expect(prepareStatementsIn(rare)('ärger')).toBe('prepare Ärger as select 1');
  expect(prepareStatementsIn(rare)(long.slice(0, 63))).toBe(`prepare ${long} as select 2`);
  expect(prepareStatementsIn('prepare U&"\\00e4" as select 1')('ä')).toBe('prepare U&"\\00e4" as select 1');
});
