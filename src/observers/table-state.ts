/** One table of a migration at one moment, as the dashboard lists it. */

export interface TableState {
  /** "schema.table"; "database.schema.table" where several databases move together. */
  readonly name: string;
  /** The heaps on the source when the plan was made. */
  readonly bytes: number;
  /** Copied so far; an estimate while its parts run. */
  readonly rowCount: number;
  /** 0 to 1. */
  readonly fractionCopied: number;
  /** By the last verification that still counts; undefined: it was not in it, or there was none. */
  readonly isEqual: boolean | undefined;
}
