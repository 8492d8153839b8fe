/** Which statements of a dump say again what an earlier one said of another table. Pure. */

import type { NamedStatement } from './scratch.ts';

/**
 * The first of each kind, and the rest; both in the dump's order. Thousands of tables are mostly one table again and again
 * (a schema for each customer, a partition for each day): who has no time for all learns most from the first ones.
 */
export function firstOfEach<S extends NamedStatement>(
  statements: readonly S[],
): { first: S[]; repeats: S[] } {
  const seen = new Set<string>();
  const [first, repeats]: [S[], S[]] = [[], []];
  for (const statement of statements) {
    const shape = `${statement.kind} ${shapeOf(statement.sql)}`;
    (seen.has(shape) ? repeats : first).push(statement);
    seen.add(shape);
  }
  return { first, repeats };
}

const QUALIFIED = /"(?:[^"]|"")*"\.(?=")/;

/** Without numbers, and without the name of the schema that it begins with. */
function shapeOf(sql: string): string {
  const schema = QUALIFIED.exec(sql)?.[0];
  return (schema === undefined ? sql : sql.replaceAll(schema, '')).replace(/\d+/g, '0');
}
