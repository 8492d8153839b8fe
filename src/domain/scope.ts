/** Which schemas and relations of a database take part in the migration. */

export interface Scope {
  /** Names of schemas, exact; undefined: all but the system's and our own. */
  readonly schemas?: readonly string[] | undefined;
  /** "schema.relation", plain or quoted as PostgreSQL quotes it. What an excluded table owns (partitions, sequences) goes with it. */
  readonly exclude?: readonly string[] | undefined;
}
