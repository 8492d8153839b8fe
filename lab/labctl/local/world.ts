/** The local lab as the checks see it. */

import { existsSync } from 'node:fs';
import { readLedger } from '../../load/ledger.ts';
import { addressOf, LabError, type Paths } from '../folder.ts';
import { probeWithOrder } from '../grade/probe.ts';
import { lazyReference } from '../grade/reference.ts';
import { tampering } from '../grade/witness.ts';
import type { OpenWorld } from '../grade/world.ts';
import { lazily } from '../lazily.ts';
import { sealsOf } from '../ledger-facts.ts';
import { readReport } from '../report-file.ts';
import { readBaseline, readSecrets } from '../secrets.ts';
import { exposedSecrets } from './exposed-secrets.ts';
import { isAlive } from './processes.ts';
import { SUPERUSER, serverAddress } from './servers.ts';
import { recordOf } from './up.ts';

/** @throws {LabError} when setup has not come to its end, or the application is gone */
export async function openLocalWorld(paths: Paths): Promise<OpenWorld> {
  const secrets = readSecrets(paths);
  const known = readBaseline(paths, secrets.key);
  const source = serverAddress(paths, 'source');
  if (known === undefined || source === undefined)
    throw new LabError('The lab is not complete: run setup.sh --reset');
  const { baseline, isSigned } = known;
  const { appUrl, replicaUrls } = recordOf(paths);
  await requireApp(appUrl);
  if (!existsSync(paths.ledger)) throw new LabError('The ledger is gone', 3);
  const ledgerReadAtMs = Date.now();
  const ledger = await readLedger(paths.ledger, secrets.seed);
  const target =
    baseline.target === undefined
      ? undefined
      : addressOf(baseline.target.endpoint, SUPERUSER, secrets.superuserPassword);
  const reference = lazyReference(baseline, secrets);
  const once = lazily(() => probeWithOrder({ appUrl, source, target }));
  return {
    secrets,
    baseline,
    appUrl,
    replicaUrls,
    source,
    target,
    ledger,
    ledgerReadAtMs,
    seals: await sealsOf(paths.ledger),
    isLoadRunning: baseline.load !== undefined && isAlive(baseline.load),
    reportText: readReport(),
    strangers: [],
    tampering: tampering(ledger, baseline, isSigned),
    probe: once,
    reference: reference.address,
    exposedSecrets: () =>
      exposedSecrets(paths, [secrets.appPassword, secrets.superuserPassword, secrets.seed]),
    [Symbol.asyncDispose]: () => reference[Symbol.asyncDispose](),
  };
}

async function requireApp(appUrl: string): Promise<void> {
  const response = await fetch(new URL('/healthz', appUrl), { signal: AbortSignal.timeout(5_000) }).catch(
    () => undefined,
  );
  await response?.arrayBuffer();
  if (response?.ok !== true)
    throw new LabError(`The shop at ${appUrl} does not answer: run setup.sh --reset`);
}
