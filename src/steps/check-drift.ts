import { allEnded } from '../base/async.ts';
import { SwitchoverAbortedError } from '../domain/errors.ts';
import { SIDES, type Side } from '../domain/names.ts';
import { SCHEMA_CHANGE_HINT } from '../domain/schema-change.ts';
import type { Scope } from '../domain/scope.ts';
import type { SwitchoverContext, SwitchoverStep } from '../engine/switchover-step.ts';
import type { Connection } from '../postgres/connection.ts';
import { excludedNames } from '../postgres/present.ts';
import { ddlSign } from '../schema/ddl-sign.ts';
import { describeDifferences, driftOf, withoutLeftOut } from '../schema/drift.ts';
import type { SchemaDifference } from '../schema/fingerprint/compare-schemas.ts';
import { type ObjectsOfClass, readSchema, schemaHash } from '../schema/fingerprint/schema-fingerprint.ts';
import { readRecordedClass, readSchemaHashes } from '../state/schema-record.ts';

/**
 * Refuses a switch when DDL was run on either side since both schemas were found to agree: it is not replicated. Reads only.
 *
 * @throws {SwitchoverAbortedError} `schema_drift`, with what changed
 */
export const checkDrift: SwitchoverStep = {
  id: 'check-drift',
  title: 'Guardrails: no DDL since the sync',
  describe: () => ['compare both schemas with what was recorded when they agreed'],

  async run(context) {
    context.facts.ddlSign = await ddlSign(context.oldSide, context.settings.scope);
    await refuseDrift(context);
  },
};

/**
 * The same once more when all that takes minutes is done, where DDL was run on the old side meanwhile: a comparison takes the
 * requests of these moments processor time. From then on check-late-ddl looks. The sign is read before the schemas are, so that
 * nothing falls in between: what commits meanwhile is refused, if need be though the schemas show it not.
 *
 * @throws {SwitchoverAbortedError} `schema_drift`, with what changed
 */
export const checkDriftAgain: SwitchoverStep = {
  id: 'check-drift-again',
  title: 'Guardrails: still no DDL',
  describe: ({ from }) => [`ask the ${from} whether DDL was run since; then compare both schemas once more`],

  async run(context) {
    const { ddlWatch } = context.facts;
    if (ddlWatch === undefined) throw new Error('open-sessions has not run');
    const sign = await ddlSign(ddlWatch, context.settings.scope);
    if (sign === context.facts.ddlSign) return;
    context.facts.ddlSign = sign;
    await refuseDrift(context);
  },
};

async function refuseDrift(context: SwitchoverContext): Promise<void> {
  const [drift] = (await findDrift({ ...context, scope: context.settings.scope })).drifts;
  if (drift === undefined) return;
  const { side, differences } = drift;
  throw new SwitchoverAbortedError(
    'schema_drift',
    `The schema of the ${side} changed since the sync: ${describeDifferences(differences)}`,
    { hint: SCHEMA_CHANGE_HINT, facts: { side, drift: differences } },
  );
}

interface Ends extends Readonly<Record<Side, Connection>> {
  readonly migration: string;
  readonly scope: Scope;
}

export interface Drift {
  readonly side: Side;
  readonly differences: readonly SchemaDifference[];
}

/** What changed since both were recorded, and the hashes of both as they are; without a record none. Reads only. */
export async function findDrift({ source, target, migration, scope }: Ends): Promise<{
  readonly drifts: readonly Drift[];
  readonly hashes?: Readonly<Record<Side, string>>;
}> {
  const recorded = await readSchemaHashes(target, migration);
  if (recorded === undefined) return { drifts: [] };
  const [onSource, onTarget] = await allEnded([schemaHash(source, scope), schemaHash(target, scope)]);
  const hashes = { source: onSource, target: onTarget };
  const drifts: Drift[] = [];
  for (const side of SIDES) {
    if (hashes[side] === recorded[side]) continue;
    const differences: SchemaDifference[] = [];
    const connection = side === 'source' ? source : target;
    const excluded = await excludedNames(connection, scope);
    await readSchema(connection, scope, async (name, now) => {
      const record = await readRecordedClass<ObjectsOfClass>(target, migration, name);
      differences.push(...withoutLeftOut(driftOf(name, record[side], now), excluded));
    });
    if (differences.length > 0) drifts.push({ side, differences });
  }
  return { drifts, hashes };
}
