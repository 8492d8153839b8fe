/** PGG101, 116, 124, 125, 128: what the WAL must carry, and for how long it is kept. */

import { SIDES, type Side } from '../names.ts';
import { numberOf, type ServerFacts, serverOf, settingOf } from './facts.ts';
import { changeSetting, setForOurRole } from './fix.ts';
import type { Report, Rule } from './rule.ts';
import type { Thresholds } from './thresholds.ts';
import { bytesInWords, durationInWords } from './words.ts';

const MEGABYTE = 1024 ** 2;

/** The source publishes; the target only when the way back is wanted. */
const publishers = ({ wantsReverse }: Thresholds): readonly Side[] => (wantsReverse ? SIDES : ['source']);

const walLevel: Rule = {
  id: 'PGG101',
  title: 'wal_level = logical',
  severity: 'blocker',
  background: `Logical replication reads row changes from the WAL, and they are only there with wal_level = logical. The source needs
it to be followed, the target so that a rollback loses nothing. Changing it needs a restart: on a busy system plan it
well before the migration. On managed services it is a parameter: rds.logical_replication = 1 (RDS, Aurora),
cloudsql.logical_decoding = on (Cloud SQL), wal_level (Azure).`,
  check: (facts, thresholds) =>
    publishers(thresholds).flatMap((side): Report[] => {
      const server = serverOf(facts, side);
      const level = settingOf(server, 'wal_level');
      if (level === 'logical') return [];
      return [
        {
          title: `wal_level is ${level} on the ${side}`,
          blocks: side === 'source' ? 'following the source' : 'the way back',
          ...changeSetting(server, side, 'wal_level', 'logical'),
        },
      ];
    }),
};

/** A size to begin with, where the WAL of a copy is not known. */
const suggestedKeep = '20GB';

const slotWalKeep: Rule = {
  id: 'PGG124',
  title: 'what slots may keep is limited, and not too little',
  severity: 'warning',
  background: `max_slot_wal_keep_size limits the WAL that slots may hold back. When a slot needs more, the server drops its WAL
(wal_status = lost) and the migration starts anew. -1 is no limit: then a slot whose reader is gone fills the disk and stops the
server, unless somebody looks; pgglide does so (throttle.maxWalRetained) while sync runs, and as long as sync --follow stays. Better a
size that is above all WAL written during the copy and above throttle.maxWalRetained, and below what the disk has free: then the server
itself gives a slot up before it stops. That goes for the way back, too: an old server that died must not take the new one with it.`,
  check: (facts, thresholds) =>
    publishers(thresholds).flatMap((side): Report[] => {
      const server = serverOf(facts, side);
      const keepMb = numberOf(server, 'max_slot_wal_keep_size') ?? -1;
      if (keepMb >= 0 && keepMb * MEGABYTE >= thresholds.slotWalKeepBytes) return [];
      const mend = changeSetting(server, side, 'max_slot_wal_keep_size', suggestedKeep);
      const isUnlimited = keepMb < 0;
      return [
        {
          ...(isUnlimited ? { severity: 'note' as const } : {}),
          title: isUnlimited
            ? `slots on the ${side} may keep WAL until its disk is full`
            : `slots on the ${side} are given up after ${bytesInWords(keepMb * MEGABYTE)} of WAL`,
          object: `max_slot_wal_keep_size = ${isUnlimited ? keepMb : `${keepMb}MB`}`,
          ...mend,
          detail: [mend.detail, 'Choose a size below what the disk of the WAL has free.']
            .filter(Boolean)
            .join(' '),
        },
      ];
    }),
};

const idleSlots: Rule = {
  id: 'PGG128',
  title: 'a slot may be idle for a while',
  severity: 'warning',
  background: `From 18 on idle_replication_slot_timeout invalidates a slot that nobody has read from for so long. Our slot for the way back is idle
until the cutover, and the forward one until the copy is done. 0 means never.`,
  check: (facts, thresholds) =>
    publishers(thresholds).flatMap((side): Report[] => {
      const server = serverOf(facts, side);
      const timeout = settingOf(server, 'idle_replication_slot_timeout') ?? '0';
      if (timeout === '0') return [];
      return [
        {
          title: `slots on the ${side} are invalidated when nobody reads them (idle_replication_slot_timeout = ${timeout})`,
          ...changeSetting(server, side, 'idle_replication_slot_timeout', '0'),
        },
      ];
    }),
};

const walSpace: Rule = {
  id: 'PGG125',
  title: 'the disk has room for the WAL that is held back',
  severity: 'note',
  background: `From the first moment of the copy until the target has caught up, the source keeps all its WAL for our slot. SQL cannot
show how much disk is free: compare it with the WAL written per hour and the hours the copy takes, and set throttle.maxWalRetained
below what is free. pgglide status and the progress show the WAL held against that limit; pgglide abort drops the slot, and the
server removes the WAL at its next checkpoint.`,
  check({ source }) {
    const { walBytes } = source.usage;
    const now = walBytes === undefined ? '' : `; pg_wal holds ${bytesInWords(walBytes)} now`;
    return [
      {
        title: `the source keeps its WAL while the copy runs${now}`,
        detail: 'Set throttle.maxWalRetained below the free space of the WAL disk.',
      },
    ];
  },
};

const senderTimeout: Rule = {
  id: 'PGG116',
  title: 'replication survives a slow moment',
  severity: 'warning',
  background: `With a short wal_sender_timeout (wal_receiver_timeout on the other end) the connection is cut while one huge transaction is
applied; the stream then starts that transaction again and may never finish it. A minute is PostgreSQL's own default.
wal_sender_timeout can be set for our role alone.`,
  check: (facts, { senderTimeoutMs }) =>
    SIDES.flatMap((side) =>
      ['wal_sender_timeout', 'wal_receiver_timeout'].flatMap((name): Report[] => {
        const server = serverOf(facts, side);
        const timeoutMs = numberOf(server, name) ?? 0;
        if (timeoutMs === 0 || timeoutMs >= senderTimeoutMs) return [];
        const title = `${name} is ${durationInWords(timeoutMs)} on the ${side}`;
        return [{ title, ...longerTimeout(server, side, name) }];
      }),
    ),
};

function longerTimeout(
  server: ServerFacts,
  side: Side,
  name: string,
): Pick<Report, 'fix' | 'fixOn' | 'detail'> {
  if (server.settings.get(name)?.context !== 'user') return changeSetting(server, side, name, '60s');
  return { fix: setForOurRole(server, name, '60s'), fixOn: side };
}

export const walRules: readonly Rule[] = [walLevel, senderTimeout, slotWalKeep, walSpace, idleSlots];
