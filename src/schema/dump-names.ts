/** Names as pg_dump --quote-all-identifiers writes them into its statements. Pure. */

const NAME = '"(?:[^"]|"")*"';
const QUALIFIED = `${NAME}\\.${NAME}`;

/** Kind -> where the statement names its table. All names are quoted, so keywords in names do not match. */
const TABLE_OF: Readonly<Record<string, RegExp>> = {
  INDEX: new RegExp(`^CREATE (?:UNIQUE )?INDEX ${NAME} ON (?:ONLY )?(${QUALIFIED})`, 'm'),
  CONSTRAINT: new RegExp(`^ALTER TABLE (?:ONLY )?(${QUALIFIED})`, 'm'),
  'FK CONSTRAINT': new RegExp(`^ALTER TABLE (?:ONLY )?(${QUALIFIED})`, 'm'),
  'CHECK CONSTRAINT': new RegExp(`^ALTER TABLE (?:ONLY )?(${QUALIFIED})`, 'm'),
  'ROW SECURITY': new RegExp(`^ALTER TABLE (?:ONLY )?(${QUALIFIED})`, 'm'),
  TRIGGER: new RegExp(`^CREATE (?:CONSTRAINT )?TRIGGER ${NAME} (?:[^"]|${NAME})*? ON (${QUALIFIED})`, 'm'),
  POLICY: new RegExp(`^CREATE POLICY ${NAME} ON (${QUALIFIED})`, 'm'),
};

/** Quoted and qualified; undefined for kinds that belong to no table. */
export const tableOf = (kind: string, sql: string): string | undefined => TABLE_OF[kind]?.exec(sql)?.[1];

const OWN_NAME: Readonly<Record<string, RegExp>> = {
  INDEX: new RegExp(`^CREATE (?:UNIQUE )?INDEX (${NAME})`, 'm'),
  TRIGGER: new RegExp(`^CREATE (?:CONSTRAINT )?TRIGGER (${NAME})`, 'm'),
};

/** The unquoted name of an index or trigger. */
export const ownName = (kind: string, sql: string): string | undefined =>
  OWN_NAME[kind]?.exec(sql)?.[1]?.slice(1, -1).replaceAll('""', '"');

const REFERENCES = new RegExp(`FOREIGN KEY \\((?:[^"]|${NAME})*?\\) REFERENCES (${QUALIFIED})`);

/** The table that a foreign key points to, quoted and qualified. */
export const referencedTable = (sql: string): string | undefined => REFERENCES.exec(sql)?.[1];

const ADDED = new RegExp(`^ALTER TABLE (?:ONLY )?(${QUALIFIED})\\s+ADD CONSTRAINT (${NAME})`, 'm');

/** How a comment on the constraint that the statement adds begins. */
export function commentOnAdded(sql: string): string | undefined {
  const [, table, name] = ADDED.exec(sql) ?? [];
  return name === undefined ? undefined : `COMMENT ON CONSTRAINT ${name} ON ${table} IS `;
}
