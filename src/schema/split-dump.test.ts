import { describe, expect, test } from 'vitest';
import { sectionsOf, splitDump } from './split-dump.ts';

const header = (line: string) => `--\n-- ${line}\n--\n\n`;
const dump = (...entries: string[]) =>
  `--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET statement_timeout = 0;\nSET transaction_timeout = 0;\n\n${entries.join('')}--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n\n`;

describe('splitDump', () => {
  test('gives each entry its kind, schema, name and statements, and nothing of the dump around them', () => {
    const script = dump(
      `${header('Name: billing; Type: SCHEMA; Schema: -; Owner: postgres')}CREATE SCHEMA "billing";\n\n\nALTER SCHEMA "billing" OWNER TO "postgres";\n\n`,
      `${header('Name: t; Type: TABLE; Schema: billing; Owner: postgres')}CREATE TABLE "billing"."t" (\n    "a" integer\n);\n\n\n`,
    );
    expect(splitDump(script)).toEqual([
      {
        kind: 'SCHEMA',
        name: 'billing',
        sql: 'CREATE SCHEMA "billing";\n\n\nALTER SCHEMA "billing" OWNER TO "postgres";',
      },
      {
        kind: 'TABLE',
        schema: 'billing',
        name: 't',
        sql: 'CREATE TABLE "billing"."t" (\n    "a" integer\n);',
      },
    ]);
  });

  test.each([
    ['a dollar-quoted body', 'AS $_$\nBEGIN\n', '\nEND $_$;'],
    ['a string', "AS '\n", "\n';"],
    ['a string with backslashes', "AS E'it\\'s\n", "\\\\';"],
    ['a quoted name', 'AS "\n', '\n";'],
    ['a block comment', '/* /* nested */\n', '\n*/;'],
  ])('a header inside %s is text', (_, before, after) => {
    const fake = header('Name: fake; Type: INDEX; Schema: public; Owner: x');
    const body = `CREATE FUNCTION "public"."f"() ${before}${fake}${after}`;
    const script = dump(
      `${header('Name: f(); Type: FUNCTION; Schema: public; Owner: x')}${body}\n\n\n`,
      `${header('Name: u; Type: TABLE; Schema: public; Owner: x')}CREATE TABLE "public"."u" ();\n\n\n`,
    );
    const entries = splitDump(script);
    expect(entries.map(({ kind, name }) => [kind, name])).toEqual([
      ['FUNCTION', 'f()'],
      ['TABLE', 'u'],
    ]);
    expect(entries[0]?.sql).toBe(body);
  });

  test('a name that looks like the rest of a header is a name', () => {
    const odd = 'x; Type: INDEX; Schema: y; Owner: z';
    const script = dump(
      `${header(`Name: ${odd}; Type: TABLE; Schema: public; Owner: o`)}CREATE TABLE "public"."${odd}" ();\n\n\n`,
    );
    expect(splitDump(script)).toMatchObject([{ kind: 'TABLE', schema: 'public', name: odd }]);
  });

  test('a schema that looks like the rest of a header does not change what the entry is', () => {
    const schema = 's; Type: INDEX; Schema: y';
    const script = dump(
      `${header(`Name: t; Type: TABLE; Schema: ${schema}; Owner: o`)}CREATE TABLE "${schema}"."t" ();\n\n\n`,
    );
    expect(splitDump(script)).toMatchObject([{ kind: 'TABLE', schema, name: 't' }]);
  });

  test('a tablespace is mapped by name and dropped without a mapping; an access method stays', () => {
    const table = (name: string) =>
      `${header(`Name: ${name}; Type: TABLE; Schema: public; Owner: o`)}CREATE TABLE "public"."${name}" ();\n\n\n`;
    const script = dump(
      'SET default_tablespace = "fast";\n\nSET default_table_access_method = columnar;\n\n',
      table('a'),
      'SET default_tablespace = \'\';\n\nSET default_table_access_method = "heap";\n\n',
      table('b'),
    );
    const sqlOf = (tablespaces: Record<string, string>) =>
      splitDump(script, { tablespaces }).map((entry) => entry.sql);
    expect(sqlOf({ fast: 'nvme "1"' })).toEqual([
      'SET LOCAL default_tablespace = "nvme ""1""";\nSET LOCAL default_table_access_method = columnar;\nCREATE TABLE "public"."a" ();',
      'CREATE TABLE "public"."b" ();',
    ]);
    expect(sqlOf({})[0]).toBe(
      'SET LOCAL default_table_access_method = columnar;\nCREATE TABLE "public"."a" ();',
    );
  });
});

test('the first entry that needs rows ends the pre-data section, for whatever follows', () => {
  const entries = ['TABLE', 'COMMENT', 'CONSTRAINT', 'COMMENT', 'MATERIALIZED VIEW', 'ACL'].map((kind) => ({
    kind,
  }));
  expect(sectionsOf(entries)).toEqual(['pre-data', 'pre-data', ...Array(4).fill('post-data')]);
  expect(sectionsOf([{ kind: 'TABLE' }])).toEqual(['pre-data']);
});
