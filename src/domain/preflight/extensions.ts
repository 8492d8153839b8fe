/** PGG110 to 112, 147, 169: extensions. */

import { ROWS_NOT_FOR_US } from '../aside.ts';
import type { Severity } from '../finding.ts';
import { settingOf } from './facts.ts';
import { changeSetting } from './fix.ts';
import type { Report, Rule } from './rule.ts';
import { some } from './words.ts';

const available: Rule = {
  id: 'PGG110',
  title: 'every extension can be installed on the target',
  severity: 'blocker',
  background: `CREATE EXTENSION needs the extension's files on the target's host: packages of the same name for the newer version, or the list
of what the managed service offers. No SQL can bring them. An extension that nobody uses any more is best dropped on the source.`,
  passed: ({ source }) => `extensions on target: ${some(source.extensions.map((one) => one.name))}`,
  check({ source, target }) {
    const offered = new Set([...target.availableExtensions, ...target.extensions].map((one) => one.name));
    return source.extensions
      .filter((one) => !offered.has(one.name))
      .map((one) => ({
        title: `extension ${one.name} ${one.version} is not available on the target`,
        object: one.name,
        detail: `Install its package for PostgreSQL ${target.identity.version.split('.')[0]} on the target's host.`,
        blocks: 'loading the schema',
      }));
  },
};

const versions: Rule = {
  id: 'PGG111',
  title: 'extensions have the same version',
  severity: 'note',
  background: `The target installs the version that its packages bring. A newer one is normal for a newer PostgreSQL; functions may have been
added or changed. Read the extension's release notes, and test what the application uses of it.`,
  check({ source, target }) {
    const offered = new Map(target.availableExtensions.map((one) => [one.name, one.defaultVersion]));
    const differing = source.extensions.flatMap((one) => {
      const version = offered.get(one.name);
      return version === undefined || version === one.version
        ? []
        : [`${one.name} ${one.version} -> ${version}`];
    });
    if (differing.length === 0) return [];
    return [{ title: `other versions on the target: ${some(differing)}`, detail: differing.join(', ') }];
  },
};

interface Danger {
  readonly severity: Severity;
  readonly why: string;
}
const DANGERS: Readonly<Record<string, Danger>> = {
  pg_cron: {
    severity: 'warning',
    why: 'its jobs would run on both sides: schedule them on the target only after the cutover',
  },
  pg_partman: {
    severity: 'warning',
    why: 'its maintenance makes partitions on each side for itself: stop it during the migration',
  },
  pglogical: { severity: 'warning', why: 'its subscriptions and nodes are not carried over' },
  bdr: { severity: 'blocker', why: 'a node of a multi-master group cannot be moved by logical replication' },
  timescaledb: {
    severity: 'blocker',
    why: 'hypertables keep rows in tables of its own, which cannot be replicated from outside',
  },
  citus: { severity: 'blocker', why: 'distributed tables keep their rows on other servers' },
  pg_repack: { severity: 'warning', why: 'it exchanges tables under us: do not run it during the migration' },
  pg_squeeze: { severity: 'warning', why: 'it exchanges tables under us: stop it during the migration' },
  pg_ivm: {
    severity: 'warning',
    why: 'its triggers maintain views on the source; they are rows like others on the target',
  },
};

const dangerous: Rule = {
  id: 'PGG112',
  title: 'no extension works against replication',
  severity: 'blocker',
  background: `Some extensions write, create tables or exchange them on their own, on both sides at once after the schema is loaded; others keep
rows where logical replication does not see them. pg_cron, pg_partman, pg_repack and pg_squeeze are to be stopped while the migration runs;
TimescaleDB, Citus and BDR need their makers' own way to move.`,
  check: ({ source }) =>
    source.extensions.flatMap(({ name }) => {
      const danger = DANGERS[name];
      if (danger === undefined) return [];
      return [{ severity: danger.severity, title: `extension ${name}: ${danger.why}`, object: name }];
    }),
};

const configuration: Rule = {
  id: 'PGG169',
  title: "no extension's own tables hold the user's rows",
  severity: 'warning',
  background: `Some extensions keep the user's configuration in tables of theirs (spatial_ref_sys, cron.job ...). They come with CREATE
EXTENSION and with the rows the extension brings. Those that the extension calls the user's (pg_extension_config_dump) are copied
at the end of sync and again before each switch and rollback, outside the pause; what changes in them in between is not replicated.
That needs SELECT on the one side, INSERT and DELETE on the other; sync warns where our role has not got them. Left alone are
extensions that act on such rows at once (${Object.keys(ROWS_NOT_FOR_US).join(', ')}).`,
  check: ({ source }) =>
    source.extensions.flatMap((one) =>
      one.configurationTables.map((table): Report => {
        const object = { object: table };
        const why = ROWS_NOT_FOR_US[one.name];
        if (why === undefined)
          return {
            severity: 'note',
            title: `rows of ${table} (extension ${one.name}) are copied before each switch, not replicated`,
            ...object,
          };
        return {
          title: `rows of ${table} (extension ${one.name}) are not copied: ${why}`,
          detail: 'Bring them over by hand after the cutover.',
          ...object,
        };
      }),
    ),
};

/** Those that the server takes in one database only, and the schema that each fills: no scratch database can try them. */
export const OF_ONE_DATABASE: ReadonlyMap<string, string> = new Map([['pg_cron', 'cron']]);

const cronDatabase: Rule = {
  id: 'PGG147',
  title: "pg_cron may be made in the target's database",
  severity: 'blocker',
  background: `CREATE EXTENSION pg_cron works in one database of a server only, the one that cron.database_name names. It can be read by who may
read all settings, and only once pg_cron is preloaded (PGG115). The scratch load leaves the extension out, and what is built on it.`,
  check({ source, target }) {
    const { database } = target.identity;
    const only = settingOf(target, 'cron.database_name');
    const isWanted = source.extensions.some((one) => one.name === 'pg_cron');
    if (!isWanted || only === undefined || only === database) return [];
    return [
      {
        title: `pg_cron works only in database ${only} of the target, not in ${database}`,
        object: 'cron.database_name',
        ...changeSetting(target, 'target', 'cron.database_name', database),
        blocks: 'loading the schema',
      },
    ];
  },
};

export const extensionRules: readonly Rule[] = [available, versions, dangerous, configuration, cronDatabase];
