/** The twenty checks, in their order. */

import { noLeftovers, rollbackReady, secretsClean, statsFresh } from './checks/afterwards.ts';
import { latencyPause, loadKept, zeroFailed } from './checks/load.ts';
import { reportExists, reportTrue } from './checks/report.ts';
import { noExtraRows, noLostWrites, rowsBaseline } from './checks/rows.ts';
import { indexesValid, schemaEqual, settings } from './checks/schema.ts';
import { sequences } from './checks/sequences.ts';
import { appEndpoint, appOnTarget, sourceQuiet, target16 } from './checks/servers.ts';
import type { CheckDefinition } from './types.ts';

export const CHECKS: readonly CheckDefinition[] = [
  target16,
  appOnTarget,
  appEndpoint,
  sourceQuiet,
  schemaEqual,
  indexesValid,
  rowsBaseline,
  noLostWrites,
  noExtraRows,
  sequences,
  zeroFailed,
  latencyPause,
  loadKept,
  rollbackReady,
  noLeftovers,
  statsFresh,
  settings,
  secretsClean,
  reportExists,
  reportTrue,
];
