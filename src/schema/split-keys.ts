/**
 * Makes parallel work out of statements that hold strong locks for long. A key becomes the building of its index,
 * which shares the table with other builds, and a moment's ADD CONSTRAINT ... USING INDEX; a foreign key becomes
 * ADD ... NOT VALID and VALIDATE, which locks out neither readers nor other validations. What ends up in the
 * catalogs is the same. Pure.
 */

import type { SchemaStatement } from './statement.ts';

/** Numbers the statements anew. */
export function splitKeys(statements: readonly SchemaStatement[]): SchemaStatement[] {
  const roots = partitionRoots(statements);
  return statements
    .flatMap((statement) => split(statement, roots))
    .map((statement, n) => ({ ...statement, n }));
}

function split(statement: SchemaStatement, roots: ReadonlySet<string>): SchemaStatement[] {
  if (statement.table === undefined || roots.has(statement.table)) return [statement];
  if (statement.kind === 'CONSTRAINT') return splitKey(statement);
  if (statement.kind === 'FK CONSTRAINT') return splitForeignKey(statement);
  return [statement];
}

const NAME = '"(?:[^"]|"")*"';
const KEY = new RegExp(
  `^(?<settings>(?:SET LOCAL [^\\n]*\\n)*)ALTER TABLE ONLY (?<table>${NAME}\\.${NAME})\\n` +
    `    ADD CONSTRAINT (?<name>${NAME}) (?<type>PRIMARY KEY|UNIQUE)(?<nulls> NULLS NOT DISTINCT)? ` +
    `(?<columns>\\(${NAME}(?:, ${NAME})*\\))(?<include> INCLUDE \\(${NAME}(?:, ${NAME})*\\))?` +
    `(?<with> WITH \\([^"()]*\\))?;(?<rest>[\\s\\S]*)$`,
);

/** Deferrable keys and exclusion constraints do not match, and stay whole. */
function splitKey(statement: SchemaStatement): SchemaStatement[] {
  const part = KEY.exec(statement.sql)?.groups;
  if (part === undefined) return [statement];
  const {
    settings = '',
    table,
    name,
    type,
    nulls = '',
    columns,
    include = '',
    with: options = '',
    rest,
  } = part;
  const index = `${settings}CREATE UNIQUE INDEX ${name} ON ${table} USING btree ${columns}${include}${nulls}${options};`;
  const key = `ALTER TABLE ONLY ${table}\n    ADD CONSTRAINT ${name} ${type} USING INDEX ${name};${rest}`;
  return [
    { ...statement, kind: 'INDEX', sql: index },
    { ...statement, sql: key },
  ];
}

const FOREIGN_KEY = new RegExp(
  `^ALTER TABLE ONLY (?<table>${NAME}\\.${NAME})\\n    ADD CONSTRAINT (?<name>${NAME}) (?<definition>FOREIGN KEY (?:[^";]|${NAME})*);$`,
);

function splitForeignKey(statement: SchemaStatement): SchemaStatement[] {
  const part = FOREIGN_KEY.exec(statement.sql)?.groups;
  if (part === undefined || / NOT (VALID|ENFORCED)$/.test(part.definition ?? '')) return [statement];
  const { table, name } = part;
  return [
    { ...statement, sql: statement.sql.replace(/;$/, ' NOT VALID;') },
    { ...statement, kind: 'VALIDATE', sql: `ALTER TABLE ONLY ${table} VALIDATE CONSTRAINT ${name};` },
  ];
}

/** Keys of partition roots are made of their leaves' keys, and their foreign keys cannot be NOT VALID. */
function partitionRoots(statements: readonly SchemaStatement[]): Set<string> {
  const roots = new Set<string>();
  const table = new RegExp(`^CREATE (?:UNLOGGED )?TABLE (${NAME}\\.${NAME}) `, 'm');
  for (const { kind, sql } of statements) {
    const name = kind === 'TABLE' ? table.exec(sql)?.[1] : undefined;
    if (name !== undefined && /^PARTITION BY /m.test(sql)) roots.add(name);
  }
  return roots;
}
