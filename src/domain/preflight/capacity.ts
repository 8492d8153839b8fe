/** PGG104, 120 to 123, 126, 127: is there room for what we add? */

import type { RuleText } from '../finding.ts';
import { SIDES, type Side } from '../names.ts';
import { isUnderWay, majorVersion, numberOf, type ServerFacts, serverOf } from './facts.ts';
import { changeSetting } from './fix.ts';
import type { Report, Rule } from './rule.ts';
import type { Thresholds } from './thresholds.ts';
import { counted } from './words.ts';

/** Spare places that a fix adds on top of what is needed, for whoever comes next. */
const SPARE = 4;

/** Something that the server has a fixed number of. */
interface Room {
  readonly noun: readonly [one: string, many: string];
  /** The setting that limits it. */
  readonly limit: (server: ServerFacts) => string;
  readonly used: (server: ServerFacts) => number;
  readonly needed: (side: Side, thresholds: Thresholds) => number;
}

const roomRule = (text: RuleText, room: Room): Rule => ({
  ...text,
  passed: ({ source, target }) =>
    `${counted(free(source, room), ...room.noun)} free on the source, ${free(target, room)} on the target`,
  // Once it is under way, what it needs is among what is in use.
  check: (facts, thresholds) =>
    isUnderWay(facts.target)
      ? []
      : SIDES.flatMap((side) => shortage(serverOf(facts, side), side, thresholds, room)),
});

const free = (server: ServerFacts, room: Room): number =>
  (numberOf(server, room.limit(server)) ?? 0) - room.used(server);

function shortage(server: ServerFacts, side: Side, thresholds: Thresholds, room: Room): Report[] {
  const setting = room.limit(server);
  const needed = room.needed(side, thresholds);
  const left = free(server, room);
  if (numberOf(server, setting) === undefined || left >= needed) return [];
  return [
    {
      title: `${counted(Math.max(0, left), ...room.noun)} free on the ${side}, ${needed} needed`,
      object: setting,
      ...changeSetting(server, side, setting, String(room.used(server) + needed + SPARE)),
    },
  ];
}

/** For a copy that is killed and resumed: databases are copied one after the other, but the ways back are built all at once. */
const RESUMED_LANE = 1;

const publisherNeeds =
  (besides: number) =>
  (side: Side, { lanes, databases, wantsReverse }: Thresholds): number => {
    if (side === 'source') return lanes * databases + RESUMED_LANE + besides;
    return wantsReverse ? (lanes + besides) * databases : 0;
  };
function subscriberNeeds(side: Side, { lanes, databases, wantsReverse }: Thresholds): number {
  if (side === 'target') return lanes * databases + RESUMED_LANE;
  return wantsReverse ? lanes * databases : 0;
}

const slots = roomRule(
  {
    id: 'PGG104',
    title: 'replication slots are free',
    severity: 'blocker',
    background: `A slot on the source holds our place in its WAL (one more when a killed copy is resumed), a slot on the target holds the way
back. max_replication_slots counts all slots of the cluster, physical ones and other databases' too. Changing it needs a restart;
dropping a slot that nobody uses any more does not. Databases that move together need slots, senders, workers and origins each, and
so does every lane (replication.lanes), in both directions.`,
  },
  {
    noun: ['replication slot', 'replication slots'],
    limit: () => 'max_replication_slots',
    used: (server) => server.usage.slots,
    needed: publisherNeeds(0),
  },
);

const senders = roomRule(
  {
    id: 'PGG120',
    title: 'WAL senders are free',
    severity: 'blocker',
    background: `Each subscription is served by a WAL sender of the publisher, and the session that made the slot holds one until the copy is
done. max_wal_senders also counts standbys and backups.`,
  },
  {
    noun: ['WAL sender', 'WAL senders'],
    limit: () => 'max_wal_senders',
    used: (server) => server.usage.walSenders,
    needed: publisherNeeds(1),
  },
);

const applyWorkers = roomRule(
  {
    id: 'PGG121',
    title: 'logical replication workers are free',
    severity: 'blocker',
    background: `Each enabled subscription needs an apply worker on the subscriber: on the target to follow, on the source for the way back.`,
  },
  {
    noun: ['logical replication worker', 'logical replication workers'],
    limit: () => 'max_logical_replication_workers',
    used: (server) => server.usage.applyWorkers,
    needed: subscriberNeeds,
  },
);

const workerProcesses = roomRule(
  {
    id: 'PGG122',
    title: 'background worker processes are free',
    severity: 'warning',
    background: `Apply workers, parallel query workers and extensions' workers share max_worker_processes. When all are taken the apply
worker does not start and the lag grows until one is free.`,
  },
  {
    noun: ['worker process', 'worker processes'],
    limit: () => 'max_worker_processes',
    // The launcher is a worker itself: among those counted where we may see them, and where it runs already.
    used: ({ usage }) => Math.max(usage.backgroundWorkers ?? 0, usage.applyWorkers + 1),
    needed: subscriberNeeds,
  },
);

const origins = roomRule(
  {
    id: 'PGG127',
    title: 'replication origins are free',
    severity: 'blocker',
    background: `The subscriber notes how far it came in a replication origin, one a subscription. Their number is limited by
max_replication_slots of the subscriber (max_active_replication_origins from 18 on).`,
  },
  {
    noun: ['replication origin', 'replication origins'],
    limit: (server) =>
      majorVersion(server) >= 18 ? 'max_active_replication_origins' : 'max_replication_slots',
    used: (server) => server.usage.origins,
    needed: subscriberNeeds,
  },
);

const connections: Rule = {
  id: 'PGG126',
  title: 'connections are free',
  severity: 'warning',
  background: `pgglide opens one session per copy job and a handful for watching, on each server, and must not take the application's.`,
  check: (facts, { jobs, databases }) =>
    SIDES.flatMap((side): Report[] => {
      const server = serverOf(facts, side);
      const reserved =
        (numberOf(server, 'superuser_reserved_connections') ?? 0) +
        (numberOf(server, 'reserved_connections') ?? 0);
      const limit = numberOf(server, 'max_connections') ?? 0;
      const left = limit - reserved - server.usage.connections;
      const needed = jobs + 6 * databases;
      if (left >= needed) return [];
      return [
        {
          title: `${counted(Math.max(0, left), 'connection')} left on the ${side}, ${needed} needed`,
          object: 'max_connections',
          ...changeSetting(server, side, 'max_connections', String(limit + needed - left)),
        },
      ];
    }),
};

/** As the server itself sizes its lock table. */
function lockTableSize(server: ServerFacts): number {
  const value = (name: string) => numberOf(server, name) ?? 0;
  const backends =
    value('max_connections') +
    Math.max(value('autovacuum_max_workers'), value('autovacuum_worker_slots')) +
    1 +
    value('max_worker_processes') +
    value('max_wal_senders');
  return value('max_locks_per_transaction') * (backends + value('max_prepared_transactions'));
}

const locks: Rule = {
  id: 'PGG123',
  title: 'the barrier can lock every table',
  severity: 'blocker',
  background: `At the switch one transaction locks every replicated table (and every partition). Locks live in a table of fixed size,
max_locks_per_transaction x (max_connections + max_prepared_transactions + workers), shared by all sessions. When the barrier alone
would take more than half of it, sessions of the application may run out of locks. The rollback needs the same on the target.`,
  check: (facts, { lockShare, tablesElsewhere }) =>
    SIDES.flatMap((side): Report[] => {
      const server = serverOf(facts, side);
      const tables = facts.source.objects.tables.length + tablesElsewhere;
      const size = lockTableSize(server);
      if (tables <= size * lockShare) return [];
      const now = numberOf(server, 'max_locks_per_transaction') ?? 64;
      const wanted = Math.ceil((now * tables) / (size * lockShare)) + 1;
      return [
        {
          severity: tables > size ? 'blocker' : 'warning',
          title: `the barrier needs ${tables} locks, the ${side} has room for ${size} in all`,
          object: `max_locks_per_transaction = ${now}`,
          blocks: 'the cutover',
          ...changeSetting(server, side, 'max_locks_per_transaction', String(wanted)),
        },
      ];
    }),
};

export const capacityRules: readonly Rule[] = [
  slots,
  senders,
  applyWorkers,
  workerProcesses,
  locks,
  connections,
  origins,
];
