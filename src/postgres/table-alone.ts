/** A planned table in a statement that would take its descendants too. */

import type { LinkedTable } from '../domain/plan.ts';
import { ident, type Sql, sql } from './sql.ts';

/** All leaves of a partition tree, but not the children of an inheritance parent: those are tables of their own. */
export const tableAlone = ({ schema, name, isPartitioned }: LinkedTable): Sql =>
  isPartitioned ? ident(schema, name) : sql`ONLY ${ident(schema, name)}`;
