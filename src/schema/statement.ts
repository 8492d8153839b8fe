/** One entry of a schema dump: what pg_dump calls an archive item. */

/** `pre-data` must be there before rows are copied; `post-data` waits for them: every index, key and constraint, triggers, policies. */
export type Section = 'pre-data' | 'post-data';

export interface SchemaStatement {
  /** Place in the dump, from 0; also the statement's name in the state. */
  readonly n: number;
  readonly section: Section;
  /** pg_dump's type: TABLE, INDEX, CONSTRAINT, FK CONSTRAINT, TRIGGER, MATERIALIZED VIEW DATA, ... */
  readonly kind: string;
  /** Undefined for what lives in no schema (extensions, casts, event triggers). */
  readonly schema?: string;
  /** For people: pg_dump's tag, such as "orders orders_pkey". */
  readonly name: string;
  /** Quoted and qualified, the table that an index, constraint, trigger, ... belongs to. */
  readonly table?: string;
  /** One or more SQL statements that belong together; run them in one transaction with the settings of restoreSettings(). */
  readonly sql: string;
}
