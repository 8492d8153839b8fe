/** Both schemas are recorded when they agree; with that the DDL that was noted before is settled. */

import { reconcile } from '../engine/reconcile.ts';
import type { StepContext } from '../engine/step.ts';
import { forgetNotedDdl, notedUntil } from '../postgres/noted-ddl.ts';
import { recordSchema } from '../steps/record-schema.ts';

/** @throws {DifferenceError} `schema_differs` */
export async function settleSchema(context: StepContext): Promise<void> {
  const { source, target } = context;
  const until = { source: await notedUntil(source), target: await notedUntil(target) };
  await reconcile(recordSchema, context);
  await forgetNotedDdl(source, until.source);
  await forgetNotedDdl(target, until.target);
}
