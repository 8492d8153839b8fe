/** PGG107 to 109, 114, 115: settings that our sessions, or the application's after the switch, would stumble over. */

import { SIDES } from '../names.ts';
import { UNLISTED_SETTINGS } from '../unlisted-settings.ts';
import {
  majorVersion,
  type PreflightFacts,
  type ServerFacts,
  type StoredSetting,
  serverOf,
  settingOf,
} from './facts.ts';
import { changeSetting, RELOAD, setForDatabase, setForOurRole } from './fix.ts';
import { quoteName } from './quote.ts';
import type { Report, Rule } from './rule.ts';
import { some } from './words.ts';

const TIMEOUTS = [
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'transaction_timeout',
] as const;

const timeouts: Rule = {
  id: 'PGG107',
  title: 'no time-out cancels replication',
  severity: 'warning',
  background: `A statement_timeout or idle time-out that our role starts with (from the role, the database or the server's file) also counts
for the apply worker, which runs as the subscription's owner, and for WAL senders. pgglide turns such time-outs off in its own
sessions; a worker has nobody to do that. The fix sets them off for our role in this database only: the application keeps its own.`,
  check: (facts) =>
    SIDES.flatMap((side) =>
      TIMEOUTS.flatMap((name): Report[] => {
        const server = serverOf(facts, side);
        const value = settingOf(server, name) ?? '0';
        if (value === '0') return [];
        return [
          {
            title: `${name} is ${value} ms for sessions of ${server.role.name} on the ${side}`,
            object: `role ${server.role.name}`,
            fix: setForOurRole(server, name, '0'),
            fixOn: side,
          },
        ];
      }),
    ),
};

/** Settings that no longer exist, by the first version without them. Renamed ones that the server still accepts are not here. */
const REMOVED: Readonly<Record<string, number>> = {
  operator_precedence_warning: 14,
  vacuum_cleanup_index_scale_factor: 14,
  stats_temp_directory: 15,
  exclusive_backup_timeout: 15,
  force_parallel_mode: 16,
  vacuum_defer_cleanup_age: 16,
  promote_trigger_file: 16,
  lc_collate: 16,
  lc_ctype: 16,
  old_snapshot_threshold: 17,
  db_user_namespace: 17,
  trace_recovery_messages: 17,
};

/** The server lists all that it knows only to who may read all settings; prefixed ones belong to extensions. */
export function isGone(name: string, target: ServerFacts): boolean {
  const removedIn = REMOVED[name.toLowerCase()];
  if (removedIn !== undefined) return majorVersion(target) >= removedIn;
  return target.role.seesAllSettings && !name.includes('.') && !knows(target, name) && !ALIASES.has(name);
}
const knows = (server: ServerFacts, name: string): boolean =>
  [...server.settings.keys()].some((known) => known.toLowerCase() === name.toLowerCase());
/** What the server takes and does not list: old names, and what it shows to nobody. */
const ALIASES: ReadonlySet<string> = new Set([
  'sort_mem',
  'vacuum_mem',
  'ssl_ecdh_curve',
  ...UNLISTED_SETTINGS,
]);

function resetStored({ role, database, name }: StoredSetting): string {
  const inDatabase = database === undefined ? '' : ` IN DATABASE ${quoteName(database)}`;
  if (role !== undefined) return `ALTER ROLE ${quoteName(role)}${inDatabase} RESET ${quoteName(name)};`;
  if (database !== undefined) return `ALTER DATABASE ${quoteName(database)} RESET ${quoteName(name)};`;
  return `ALTER ROLE ALL RESET ${quoteName(name)};`;
}

const removedFromDatabase = ({ source, target }: PreflightFacts): Report[] =>
  source.storedSettings
    .filter((stored) => isGone(stored.name, target))
    .map((stored) => ({
      title: `PostgreSQL ${majorVersion(target)} does not know ${stored.name}: it will not be carried over`,
      object: [stored.role && `role ${stored.role}`, stored.database && `database ${stored.database}`]
        .filter((part) => part !== undefined)
        .join(' in '),
      fix: resetStored(stored),
      fixOn: 'source',
    }));

const removedFromFile = ({ source, target }: PreflightFacts): Report[] =>
  [...source.settings]
    .filter(([name, setting]) => setting.isInFile && isGone(name, target))
    .map(([name]) => ({
      severity: 'note',
      title: `the source's configuration file sets ${name}, which PostgreSQL ${majorVersion(target)} does not know`,
      object: name,
      detail: 'A server does not start with a setting that it does not know: do not copy that line.',
    }));

const removedSettings: Rule = {
  id: 'PGG108',
  title: 'stored settings exist on the target',
  severity: 'warning',
  background: `ALTER ROLE ... SET and ALTER DATABASE ... SET are carried over, and a setting that the newer version no longer knows cannot be:
it is left out. Reset it on the source to see the same behaviour on both sides from now on. One that our role on the target may not
store (a superuser's, or a custom name, without GRANT SET ON PARAMETER; one of a role that it may not change) is left out, too, and
\`plan\` lists it. Settings of the server's file are not carried over; those that the newer version would refuse are noted.`,
  check: (facts) => [...removedFromDatabase(facts), ...removedFromFile(facts)],
};

/** What decides how values are read, printed and searched. */
const MEANINGFUL = [
  'TimeZone',
  'DateStyle',
  'IntervalStyle',
  'default_text_search_config',
  'lc_monetary',
  'lc_numeric',
  'lc_time',
  'bytea_output',
  'extra_float_digits',
  'standard_conforming_strings',
  'backslash_quote',
  'array_nulls',
  'transform_null_equals',
  'xmlbinary',
  'xmloption',
  'quote_all_identifiers',
  'default_transaction_isolation',
  'search_path',
  'session_replication_role',
] as const;

/** What decides how fast and how safe the server is. */
const OPERATIONAL = [
  'shared_buffers',
  'work_mem',
  'maintenance_work_mem',
  'effective_cache_size',
  'effective_io_concurrency',
  'random_page_cost',
  'seq_page_cost',
  'default_statistics_target',
  'max_parallel_workers',
  'max_parallel_workers_per_gather',
  'jit',
  'autovacuum',
  'autovacuum_max_workers',
  'autovacuum_vacuum_scale_factor',
  'autovacuum_vacuum_cost_limit',
  'autovacuum_freeze_max_age',
  'checkpoint_timeout',
  'max_wal_size',
  'wal_compression',
  'fsync',
  'full_page_writes',
  'synchronous_commit',
  'data_checksums',
  'track_commit_timestamp',
  'track_io_timing',
  'password_encryption',
  'deadlock_timeout',
  'log_min_duration_statement',
  'huge_pages',
  'ssl',
] as const;

/** data_checksums and the like are told by the server, not set. */
const FIXED_AT_INIT = 'internal';

/** A server whose host has no certificate, or no such pages, would not start again. */
const OF_THE_HOST: ReadonlySet<string> = new Set(['ssl', 'huge_pages']);

const sameMeaning = (a: string, b: string): boolean => normal(a) === normal(b);
/** "en_US.UTF-8" is "en_US.utf8", and UTC has several names. */
const normal = (value: string): string =>
  value
    .toLowerCase()
    .replaceAll('-', '')
    .replace(/^(etc\/)?(utc|gmt|uct|zulu)$/, 'utc');

/** What we see came from our role's own entry, or goes to the target with the database. What other roles have stored is theirs alone. */
const isOurOwn = ({ role, database }: StoredSetting, server: ServerFacts): boolean =>
  role === server.role.name || (role === undefined && database !== undefined);

function differing({ source, target }: PreflightFacts, names: readonly string[]): Difference[] {
  const carried = new Set(
    source.storedSettings.filter((one) => isOurOwn(one, source)).map(({ name }) => name.toLowerCase()),
  );
  return names.flatMap((name) => {
    const [from, to] = [settingOf(source, name), settingOf(target, name)];
    if (from === undefined || to === undefined || sameMeaning(from, to)) return [];
    return carried.has(name.toLowerCase()) ? [] : [{ name, from, to }];
  });
}
interface Difference {
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

const meaningfulSettings: Rule = {
  id: 'PGG109',
  title: 'settings that change results are equal',
  severity: 'warning',
  background: `Time zone, date style, text search configuration, monetary locale and their like decide what a query returns. When they come
from the server's own file they do not move with the database, and the application sees other results after the switch. The fix
stores the source's value with the target's database. (Settings stored with a role or database are carried over by sync.)`,
  check: (facts) =>
    differing(facts, MEANINGFUL).map(({ name, from, to }) => ({
      title: `${name} is "${from}" on the source and "${to}" on the target`,
      object: name,
      fix: setForDatabase(facts.target, name, from),
      fixOn: 'target' as const,
    })),
};

const operationalSettings: Rule = {
  id: 'PGG114',
  title: 'settings that change speed and safety are equal',
  severity: 'note',
  background: `Memory, planner, autovacuum, checkpoint and logging settings do not move with a database. They may differ on purpose (another
machine, another version's defaults); look once before the cutover, not after it. Data checksums can only be chosen at initdb
(or with pg_checksums on a stopped server).`,
  check: (facts) => {
    const found = differing(facts, OPERATIONAL);
    if (found.length === 0) return [];
    const remedies = found
      .filter(({ name }) => facts.target.settings.get(name)?.context !== FIXED_AT_INIT)
      .filter(({ name }) => !OF_THE_HOST.has(name))
      .map(({ name, from }) => ({ name, ...changeSetting(facts.target, 'target', name, from) }));
    const lines = remedies.flatMap(({ fix }) => fix?.split('\n') ?? []);
    const restarted = remedies.filter(({ fix, detail }) => fix !== undefined && detail !== undefined);
    return [
      {
        title: `${found.length} settings differ between the servers`,
        detail: [
          ...found.map(({ name, from, to }) => `${name}: ${from}, target ${to}`),
          ...(restarted.length === 0
            ? []
            : [`the server must be restarted for ${restarted.map(({ name }) => name).join(', ')}`]),
        ].join('; '),
        ...(lines.length === 0 ? {} : { fix: reloadedOnce(lines).join('\n'), fixOn: 'target' as const }),
      },
    ];
  },
};

/** When all is set. */
const reloadedOnce = (lines: readonly string[]): string[] => [
  ...lines.filter((line) => line !== RELOAD),
  ...(lines.includes(RELOAD) ? [RELOAD] : []),
];

const libraries = (server: ServerFacts): string[] =>
  (settingOf(server, 'shared_preload_libraries') ?? '')
    .split(',')
    .map((name) => name.trim().replaceAll('"', ''))
    .filter((name) => name !== '');

const preloadedLibraries: Rule = {
  id: 'PGG115',
  title: 'preloaded libraries are preloaded on the target',
  severity: 'warning',
  background: `Extensions such as pg_stat_statements work only when their library is in shared_preload_libraries, which is a setting of the
server, not of the database. The library must be installed there, or the server does not start.`,
  check({ source, target }) {
    const there = libraries(target);
    const missing = libraries(source).filter((name) => !there.includes(name));
    if (missing.length === 0) return [];
    const all = [...there, ...missing];
    return [
      {
        title: `not preloaded on the target: ${some(missing)}`,
        object: 'shared_preload_libraries',
        ...preload(target, all),
      },
    ];
  },
};

/** Takes a list of names: one string would be one name. */
function preload(target: ServerFacts, names: readonly string[]): Pick<Report, 'fix' | 'fixOn' | 'detail'> {
  const remedy = changeSetting(target, 'target', 'shared_preload_libraries', names.join(', '));
  if (remedy.fix === undefined) return remedy;
  const listed = names.map((name) => `'${name.replaceAll("'", "''")}'`).join(', ');
  return { ...remedy, fix: `ALTER SYSTEM SET shared_preload_libraries = ${listed};` };
}

export const settingRules: readonly Rule[] = [
  timeouts,
  removedSettings,
  meaningfulSettings,
  operationalSettings,
  preloadedLibraries,
];
