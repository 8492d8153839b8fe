/** PGG102, 103, 113, 118, 119, 181, 184: which servers these are and whether they can take part. */

import { SIDES } from '../names.ts';
import { majorVersion, type PreflightFacts, serverOf, settingOf } from './facts.ts';
import { changeSetting, setForDatabase } from './fix.ts';
import type { Report, Rule } from './rule.ts';
import { durationInWords } from './words.ts';

const OLDEST_SUPPORTED = 13;

const versions: Rule = {
  id: 'PGG102',
  title: 'the target is newer than the source',
  severity: 'blocker',
  background: `A migration goes from an older major version to a newer one. The schema of a newer server does not load into an
older one in general, and an older subscriber does not know all that a newer publisher says. Servers of the same major version
work too (a move to other hardware): that is a note. Source and target must be PostgreSQL ${OLDEST_SUPPORTED} or later.`,
  passed: ({ source, target }) => `PostgreSQL ${source.identity.version} to ${target.identity.version}`,
  check({ source, target }) {
    const [from, to] = [majorVersion(source), majorVersion(target)];
    const said = `source ${source.identity.version}, target ${target.identity.version}`;
    if (from > to) return [{ title: `target older than source: ${said}`, detail: 'Name a newer target.' }];
    if (from < OLDEST_SUPPORTED) {
      return [{ title: `source older than PostgreSQL ${OLDEST_SUPPORTED}: ${said}` }];
    }
    if (from === to) return [{ severity: 'note', title: `same major version on both sides: ${said}` }];
    return [];
  },
};

const differentClusters: Rule = {
  id: 'PGG103',
  title: 'source and target are different clusters',
  severity: 'blocker',
  background: `Both connection strings lead to the same cluster, or to physical copies of one: the system identifier, which initdb
gives, is equal. A cluster cannot be migrated onto itself, and two databases of one cluster share slots, roles and WAL.
Make the target with initdb (or as a new managed instance), never from a file-level copy of the source.`,
  check({ source, target }) {
    const [from, to] = [source.identity, target.identity];
    const same =
      from.systemIdentifier !== undefined && to.systemIdentifier !== undefined
        ? from.systemIdentifier === to.systemIdentifier
        : from.startedAt === to.startedAt;
    if (!same) return [];
    const detail = `system identifier ${from.systemIdentifier ?? 'not readable; both started at the same microsecond'}`;
    return [{ title: 'source and target are the same cluster', detail }];
  },
};

const primaries: Rule = {
  id: 'PGG118',
  title: 'both servers are primaries',
  severity: 'blocker',
  background: `A server in recovery takes no writes: no publication can be created on it and no rows can be copied into it.
Name the primary. A standby that is to become the target must be promoted first.`,
  check: (facts) =>
    SIDES.filter((side) => serverOf(facts, side).identity.isStandby).map((side): Report => {
      const title = `the ${side} is a standby: it takes no writes`;
      if (side === 'source') return { title, detail: 'Name its primary.' };
      return { title, fix: 'SELECT pg_promote();', fixOn: side };
    }),
};

const clocks: Rule = {
  id: 'PGG113',
  title: 'the clocks agree',
  severity: 'warning',
  background: `Rows that the application stamps with now() jump when traffic moves to a server whose clock differs, and times in
the report do not fit together. Let both hosts follow the same time service.`,
  check({ source, target }, { clockDifferenceMs }) {
    const differenceMs = target.identity.clockOffsetMs - source.identity.clockOffsetMs;
    if (Math.abs(differenceMs) < clockDifferenceMs) return [];
    const direction = differenceMs > 0 ? 'ahead of' : 'behind';
    return [
      {
        title: `the target's clock is ${durationInWords(Math.abs(differenceMs))} ${direction} the source's`,
        detail: 'Let both hosts follow the same time service (chrony, systemd-timesyncd).',
      },
    ];
  },
};

const synchronousStandbys: Rule = {
  id: 'PGG119',
  title: 'commits do not wait for a standby that is not there',
  severity: 'blocker',
  background: `synchronous_standby_names names standbys and none is connected: every commit, ours too, waits for ever.
Empty the setting or start the standby.`,
  check: (facts) =>
    SIDES.flatMap((side): Report[] => {
      const server = serverOf(facts, side);
      const names = settingOf(server, 'synchronous_standby_names');
      if (names === undefined || names === '' || server.synchronousStandbys > 0) return [];
      return [
        {
          title: `every commit on the ${side} waits for a standby, and none is connected`,
          object: `synchronous_standby_names = ${names}`,
          ...changeSetting(server, side, 'synchronous_standby_names', ''),
        },
      ];
    }),
};

const targetWritable: Rule = {
  id: 'PGG181',
  title: 'sessions on the target may write',
  severity: 'warning',
  background: `default_transaction_read_only is on for new sessions on the target. Our own sessions turn it off, the application's
would fail after the switch.`,
  check: ({ target }: PreflightFacts) =>
    settingOf(target, 'default_transaction_read_only') === 'on'
      ? [
          {
            title: 'new sessions on the target are read-only',
            fix: setForDatabase(target, 'default_transaction_read_only', 'off'),
            fixOn: 'target',
          },
        ]
      : [],
};

const SEEN_BY = { source: 'source.seenByTarget', target: 'target.seenBySource' } as const;

const reachable: Rule = {
  id: 'PGG184',
  title: 'the servers can reach each other',
  severity: 'warning',
  background: `A subscription is a connection from server to server: the target's host connects to the source at the address that pgglide was
given, and the source to the target for the way back. A loopback address or a Unix socket is right only where both servers run on this
very host. Name both by addresses that hold from everywhere, or say in the configuration how the other server reaches this one
(source.seenByTarget, target.seenBySource); and let pg_hba.conf admit our role from the other server's host.`,
  check({ source, target }) {
    if (source.identity.isLoopback === target.identity.isLoopback) return [];
    const local = source.identity.isLoopback ? 'source' : 'target';
    const other = local === 'source' ? 'target' : 'source';
    return [
      {
        title: `the ${other} must connect to the ${local}, whose address is a loopback address or a Unix socket`,
        detail: `Name the ${local} by an address that the ${other}'s host can use, or set ${SEEN_BY[local]}.`,
      },
    ];
  },
};

export const serverRules: readonly Rule[] = [
  versions,
  differentClusters,
  primaries,
  clocks,
  synchronousStandbys,
  targetWritable,
  reachable,
];
