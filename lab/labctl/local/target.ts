/** What the learner does first: the target, PostgreSQL 16, empty. */

import { LabError, type Paths } from '../folder.ts';
import { readBaseline, readSecrets, writeBaseline } from '../secrets.ts';
import { writeConnectionFiles } from './connection-files.ts';
import { ensureDatabase, ensureServer, serverAddress, stopServer, systemIdentifier } from './servers.ts';
import { recordOf } from './up.ts';

const TARGET_VERSION = 16;

/** Started with an empty database `shop`, and remembered by the grader by its system identifier. */
export async function startTarget(paths: Paths): Promise<string> {
  recordOf(paths);
  const secrets = readSecrets(paths);
  const known = readBaseline(paths, secrets.key);
  if (known === undefined) throw new LabError('The lab is not complete: run setup.sh once more');
  const word = await ensureServer(paths, 'target', secrets.superuserPassword, TARGET_VERSION);
  await ensureDatabase(paths, 'target');
  const address = serverAddress(paths, 'target');
  if (address === undefined) throw new LabError('The target is not there', 1);
  if (known.isSigned && known.baseline.target === undefined) {
    const { host, port } = address;
    const target = { systemIdentifier: await systemIdentifier(address), endpoint: { host, port } };
    writeBaseline(paths, secrets.key, { ...known.baseline, target });
  }
  writeConnectionFiles(paths, secrets);
  return `PostgreSQL ${TARGET_VERSION} ${word === 'started' ? 'started' : 'runs'} on ${address.host}:${address.port}, database ${address.database}`;
}

export async function stopTarget(paths: Paths): Promise<string> {
  return (await stopServer(paths, 'target')) ? 'The target was stopped; its data stays' : 'It does not run';
}
