/** What a migration leaves: the way back, no leftovers, fresh statistics, no secrets lying about. */

import type { ServerAddress } from '../../../../src/index.ts';
import { LAB_APPLICATION, rowsOf, withSession } from '../../session.ts';
import type { CheckDefinition } from '../types.ts';
import { targetOf } from '../world.ts';

export const rollbackReady: CheckDefinition = {
  id: 'rollback-ready',
  name: 'what is written on the target comes back to the source',
  points: 6,
  needsSwitch: true,
  async run(world) {
    const { onSource, sourceAfterMs } = await world.probe();
    if (onSource === 'replicated')
      return { score: 6, output: `the order reached the source after ${Math.round(sourceAfterMs ?? 0)} ms` };
    const [slot] = await withSession(targetOf(world), (session) =>
      rowsOf<{ slot: string }>(
        session,
        `SELECT slot_name AS slot FROM pg_replication_slots WHERE slot_type = 'logical' AND active AND database = current_database()`,
      ),
    );
    if (slot !== undefined)
      return {
        score: 2,
        output: `slot ${slot.slot} on the target is read, but the order did not reach the source in 10 s`,
        hint: 'See the log of the source: its apply worker may have stopped at an error.',
      };
    return {
      score: 0,
      output: 'nothing on the source follows the target',
      hint: 'task 5: publication on the target, subscription on the source, its slot made before the traffic goes on.',
    };
  },
};

const LEFTOVERS = `
  SELECT format('slot %s is kept by nobody and holds WAL', slot_name) AS what FROM pg_replication_slots
    WHERE NOT active AND database = current_database()
  UNION ALL SELECT format('pid %s is idle in transaction for %s s', pid, extract(epoch FROM now() - state_change)::integer)
    FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'
      AND state_change < now() - interval '2 s' AND application_name <> '${LAB_APPLICATION}'
  UNION ALL SELECT format('prepared transaction %s', gid) FROM pg_prepared_xacts`;
const FORWARD = `SELECT format('subscription %s still follows the source', subname) AS what FROM pg_subscription
  WHERE subenabled AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`;

export const noLeftovers: CheckDefinition = {
  id: 'no-leftovers',
  name: 'no forward subscription, no slot that holds WAL, no idle transaction',
  points: 3,
  needsSwitch: true,
  async run(world) {
    const look = (address: ServerAddress, query: string) =>
      withSession(address, (session) => rowsOf<{ what: string }>(session, query));
    const target = targetOf(world);
    const [source, both, forward] = await Promise.all([
      look(world.source, LEFTOVERS),
      look(target, LEFTOVERS),
      look(target, FORWARD),
    ]);
    const found = [
      ...source.map(({ what }) => `source: ${what}`),
      ...[...both, ...forward].map(({ what }) => `target: ${what}`),
    ];
    if (found.length === 0) return { score: 3, output: 'nothing was left behind' };
    return {
      score: 0,
      output: found.slice(0, 3).join('; '),
      hint: 'Drop what the way there needed; keep the way back.',
      evidence: found,
    };
  },
};

/** Partitioned parents are not the server's own business; their partitions are. */
const UNANALYZED = `
  SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname IN ('public', 'billing') AND c.relkind = 'r' AND pg_relation_size(c.oid) > 8192 * 4
    AND NOT EXISTS (SELECT FROM pg_statistic s WHERE s.starelid = c.oid)`;

export const statsFresh: CheckDefinition = {
  id: 'stats-fresh',
  name: 'every table of more than 1,000 rows on the target has statistics',
  points: 2,
  needsSwitch: true,
  async run(world) {
    const missing = await withSession(targetOf(world), async (session) => {
      const names: string[] = [];
      for (const { name } of await rowsOf<{ name: string }>(session, UNANALYZED)) {
        if ((await rowsOf(session, `SELECT FROM ${name} OFFSET 1000 LIMIT 1`)).length > 0) names.push(name);
      }
      return names;
    });
    if (missing.length === 0) return { score: 2, output: 'all analyzed' };
    return {
      score: 0,
      output: `never analyzed: ${missing.join(', ')}`,
      hint: 'ANALYZE the target before the switch, not after it.',
    };
  },
};

export const secretsClean: CheckDefinition = {
  id: 'secrets-clean',
  name: 'no password in logs, command lines, open files or the report',
  points: 2,
  needsSwitch: true,
  async run({ exposedSecrets }) {
    const places = await exposedSecrets();
    if (places.length === 0) return { score: 2, output: 'no password lies open' };
    return {
      score: 0,
      output: `a password is in ${places.slice(0, 3).join(', ')}`,
      hint: 'Passwords belong into files of mode 600 (PGPASSFILE), not into arguments.',
      evidence: places,
    };
  },
};
