/** Which servers there are, and where the application writes. */

import { setTimeout as delay } from 'node:timers/promises';
import { succeeded } from '../../../load/ledger.ts';
import { APP_USER } from '../../folder.ts';
import { rowsOf, withSession } from '../../session.ts';
import { presence } from '../probe.ts';
import type { CheckDefinition } from '../types.ts';
import { type GradeWorld, targetOf } from '../world.ts';

/** Of PostgreSQL 16's catalogs: another version cannot start on them, nor show this number. */
const CATALOG_VERSION_16 = 202307071;

interface Identity {
  readonly version: string;
  readonly number: number;
  readonly catalog: number;
  readonly identifier: string;
}

const IDENTITY = `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::integer AS number,
  catalog_version_no AS catalog, system_identifier::text AS identifier FROM pg_control_system()`;

export const target16: CheckDefinition = {
  id: 'target-16',
  name: 'the target is PostgreSQL 16, and the server that was deployed as target',
  points: 4,
  isStarred: true,
  async run({ target, baseline }) {
    if (target === undefined)
      return { score: 0, output: 'no target is deployed', hint: 'task 1: lab/labctl.sh target start' };
    const [found] = await withSession(target, (session) => rowsOf<Identity>(session, IDENTITY));
    const { version = '?', number = 0, catalog, identifier } = found ?? {};
    const is16 = number >= 160_000 && number < 170_000 && catalog === CATALOG_VERSION_16;
    const isDeployed = identifier === baseline.target?.systemIdentifier;
    const isOther = identifier !== baseline.sourceIdentifier;
    const { host, port } = baseline.target?.endpoint ?? target;
    const at = `${host}:${port}`;
    if (is16 && isDeployed && isOther)
      return { score: 4, output: `PostgreSQL ${version} on ${at}`, evidence: found };
    const why = is16 ? 'is not the server that was deployed as target' : 'is not PostgreSQL 16';
    return {
      score: 0,
      output: `the server on ${at} says ${version} and ${why}`,
      hint: 'The target is the server that `lab/labctl.sh target start` made; another one in its place does not count.',
      evidence: found,
    };
  },
};

export const appOnTarget: CheckDefinition = {
  id: 'app-on-target',
  name: 'an order through the application is committed on the target',
  points: 8,
  isStarred: true,
  async run(world) {
    const { requestId, status, onTarget, onSource } = await world.probe();
    const order = `order ${requestId} written through the application`;
    const evidence = { requestId, status, onTarget, onSource };
    if (status !== 201)
      return {
        score: 0,
        output: `${order} was answered with ${status}`,
        hint: 'See the logs of the shop.',
        evidence,
      };
    if (onTarget === 'committed here') {
      const elsewhere = await loadElsewhere(world);
      if (elsewhere === undefined) return { score: 8, output: `${order} is on the target`, evidence };
      return {
        score: 0,
        output: `${order} is on the target, but the load's ${elsewhere} came there by replication`,
        hint: 'task 5: the customer asks another shop than the grader, and that one still writes to the old server.',
        evidence: { ...evidence, elsewhere },
      };
    }
    const where =
      onSource === 'committed here'
        ? 'is on the source'
        : 'was not found as a commit of its own on the target';
    const replicated = onTarget === 'replicated' ? ' and came to the target by replication' : '';
    return {
      score: 0,
      output: `${order} ${where}${replicated}`,
      hint: 'task 5: the application still writes to the old server.',
      evidence,
    };
  },
};

/** The load's newest write that was acknowledged, if the target has it from another server; undefined: it has not. */
async function loadElsewhere(world: GradeWorld): Promise<string | undefined> {
  const newest = world.ledger.outcomes.findLast(
    (outcome) => outcome.requestId !== undefined && succeeded(outcome),
  );
  const id = newest?.requestId;
  if (id === undefined) return undefined;
  return (await presence(targetOf(world), id)) === 'replicated' ? id : undefined;
}

export const appEndpoint: CheckDefinition = {
  id: 'app-endpoint',
  name: 'every replica of the application says that it uses the target',
  points: 4,
  async run({ replicaUrls, strangers, baseline }) {
    if (strangers.length > 0)
      return {
        score: 0,
        output: strangers.slice(0, 3).join('; '),
        hint: 'The shop is the customer: move it, do not replace it.',
        evidence: strangers,
      };
    const answers = await Promise.all(replicaUrls.map(identifierSeenBy));
    const others = answers.filter((answer) => answer !== baseline.target?.systemIdentifier);
    const total = answers.length;
    if (baseline.target !== undefined && others.length === 0)
      return { score: 4, output: `${total} of ${total} replicas use the target`, evidence: answers };
    return {
      score: 0,
      output: `${total - others.length} of ${total} replicas use the target`,
      hint: 'task 5: a replica that missed the change of its settings? Ask each for /db.',
      evidence: answers,
    };
  },
};

async function identifierSeenBy(url: string): Promise<string> {
  try {
    const response = await fetch(new URL('/db', url), { signal: AbortSignal.timeout(5_000) });
    const { systemIdentifier } = (await response.json()) as { systemIdentifier?: string };
    return systemIdentifier ?? 'not told';
  } catch {
    return 'no answer';
  }
}

const QUIET_MS = 3_000;

export const sourceQuiet: CheckDefinition = {
  id: 'source-quiet',
  name: 'the source takes no writes and no sessions of the application',
  points: 4,
  needsSwitch: true,
  async run({ source }) {
    return withSession(source, async (session) => {
      const [start] = await rowsOf<{ at: string }>(session, 'SELECT clock_timestamp()::text AS at');
      const before = await sessionsOfApp(session);
      await delay(QUIET_MS);
      const sessions = Math.max(before, await sessionsOfApp(session));
      const [written] = await rowsOf<{ count: number }>(
        session,
        `SELECT count(*)::integer AS count FROM public.request_log WHERE done_at > $1
          AND (pg_xact_commit_timestamp_origin(xmin)).roident = 0`,
        [start?.at],
      );
      const writes = written?.count ?? 0;
      if (sessions + writes === 0)
        return { score: 4, output: 'no session and no write of the application in 3 s' };
      return {
        score: 0,
        output: `${sessions} sessions and ${writes} writes of the application in 3 s`,
        hint: 'Something still uses the old server: a replica, a proxy, a pooler.',
        evidence: { sessions, writes },
      };
    });
  },
};

async function sessionsOfApp(session: Parameters<typeof rowsOf>[0]): Promise<number> {
  const [row] = await rowsOf<{ count: number }>(
    session,
    'SELECT count(*)::integer AS count FROM pg_stat_activity WHERE usename = $1',
    [APP_USER],
  );
  return row?.count ?? 0;
}

/** "16.14" */
export async function versionOf(address: GradeWorld['source']): Promise<string> {
  const [row] = await withSession(address, (session) => rowsOf<Identity>(session, IDENTITY));
  return /^\d+(\.\d+)?/.exec(row?.version ?? '')?.[0] ?? '?';
}

export const versionsOf = async (world: GradeWorld): Promise<{ source: string; target: string }> => ({
  source: await versionOf(world.source),
  target: await versionOf(targetOf(world)),
});
