/** PGG137, 170 to 176: what our roles may do, and the GRANTs for what they may not. */

import { qualified, SIDES, type Side } from '../names.ts';
import { majorVersion, type OwnRole, type PreflightFacts, type ServerFacts, serverOf } from './facts.ts';
import { quoteName } from './quote.ts';
import type { Report, Rule } from './rule.ts';
import { some } from './words.ts';

const MANAGED_SUPERUSER: Readonly<Record<string, string>> = {
  rds: 'rds_superuser',
  cloudsql: 'cloudsqlsuperuser',
  azure: 'azure_pg_admin',
};
const isAllPowerful = ({ isSuperuser, isManagedSuperuser }: OwnRole): boolean =>
  isSuperuser || isManagedSuperuser;

const grant = (what: string, role: OwnRole): string => `GRANT ${what} TO ${quoteName(role.name)};`;
const alter = (role: OwnRole, attribute: string): string =>
  `ALTER ROLE ${quoteName(role.name)} ${attribute};`;

/** What an owner may do, and from 16 on the right to act as it: there a membership alone may give neither. */
function actAs(server: ServerFacts, owners: readonly string[]): string[] {
  const { role } = server;
  if (owners.length === 0) return [];
  if (majorVersion(server) >= 16)
    return owners.map(
      (owner) => `GRANT ${quoteName(owner)} TO ${quoteName(role.name)} WITH INHERIT TRUE, SET TRUE;`,
    );
  return [
    ...(role.inherits ? [] : [alter(role, 'INHERIT')]),
    ...owners.map((owner) => grant(quoteName(owner), role)),
  ];
}

const becomeReplicator = ({ identity, role }: ServerFacts): string =>
  identity.platform === 'rds' ? grant('rds_replication', role) : alter(role, 'REPLICATION');

const replication: Rule = {
  id: 'PGG170',
  title: 'our roles may replicate',
  severity: 'blocker',
  background: `Making a slot and reading from it needs the REPLICATION attribute (on RDS and Aurora membership in rds_replication, on Cloud SQL and
Azure the attribute, given by the administrator's role): on the source to follow it, on the target for the way back.`,
  check: (facts, { wantsReverse }) =>
    SIDES.flatMap((side): Report[] => {
      const server = serverOf(facts, side);
      if (server.role.mayReplicate || (side === 'target' && !wantsReverse)) return [];
      return [
        {
          title: `role ${server.role.name} may not replicate from the ${side}`,
          object: `role ${server.role.name}`,
          fix: becomeReplicator(server),
          fixOn: side,
          blocks: side === 'source' ? 'following the source' : 'the way back',
        },
      ];
    }),
};

const publishing: Rule = {
  id: 'PGG171',
  title: 'our role may publish the tables of the source',
  severity: 'blocker',
  background: `A publication is made by a role that may CREATE in the database and owns each table that it lists, or inherits the owner's
rights: before 16 a member that is NOINHERIT does not, and from 16 on neither does who merely created the role (ADMIN without INHERIT
and SET). The same rights make the schema "pgglide" with the marker, the barrier's locks and the fence's triggers, and set sequences on
the way back. FOR ALL TABLES would need a superuser; pgglide never uses it.`,
  check({ source }, { wantsReverse }) {
    const { role, identity, objects } = source;
    const strange = [
      ...objects.tables.filter((table) => !table.mayActAsOwner),
      ...objects.strangeSequences.filter((sequence) => wantsReverse || !sequence.isReadable),
    ];
    const owners = [...new Set(strange.map(({ owner }) => owner))];
    const lines = [
      ...(role.mayCreateInDatabase
        ? []
        : [grant(`CREATE ON DATABASE ${quoteName(identity.database)}`, role)]),
      ...actAs(source, owners),
    ];
    if (lines.length === 0) return [];
    const missing = [
      ...(role.mayCreateInDatabase ? [] : ['CREATE on the database']),
      ...(owners.length === 0 ? [] : [`the rights of ${some(owners)}`]),
    ];
    return [
      {
        title: `role ${role.name} may not publish on the source: it lacks ${missing.join(' and ')}`,
        object: `role ${role.name}`,
        fix: lines.join('\n'),
        fixOn: 'source',
        blocks: 'publishing the tables',
      },
    ];
  },
};

/** From 14 on one role reads everything. */
function mayReadAll(server: ServerFacts, schemas: readonly string[]): string {
  if (majorVersion(server) >= 14) return grant('pg_read_all_data', server.role);
  return schemas
    .flatMap((schema) => [
      grant(`USAGE ON SCHEMA ${quoteName(schema)}`, server.role),
      grant(`SELECT ON ALL TABLES IN SCHEMA ${quoteName(schema)}`, server.role),
      grant(`SELECT ON ALL SEQUENCES IN SCHEMA ${quoteName(schema)}`, server.role),
    ])
    .join('\n');
}

const reading: Rule = {
  id: 'PGG172',
  title: 'our role may read every table of the source',
  severity: 'blocker',
  background: `The copy and the verification read every row of every table in scope. From 14 on the predefined role pg_read_all_data gives just
that; before, SELECT on the tables and sequences and USAGE on their schemas.`,
  check({ source }) {
    const hidden = source.objects.tables.filter((table) => !table.isReadable);
    if (hidden.length === 0) return [];
    return [
      {
        title: `role ${source.role.name} may not read ${some(hidden.map(qualified))}`,
        object: `role ${source.role.name}`,
        fix: mayReadAll(source, [...new Set(hidden.map((table) => table.schema))]),
        fixOn: 'source',
        blocks: 'the copy',
      },
    ];
  },
};

/** A subscription's role, in the words of its server's version. */
function becomeSubscriber(server: ServerFacts): string {
  const { identity, role } = server;
  const managed = MANAGED_SUPERUSER[identity.platform];
  if (majorVersion(server) >= 16) return grant('pg_create_subscription', role);
  return managed === undefined ? alter(role, 'SUPERUSER') : grant(managed, role);
}

const maySubscribe = ({ role }: ServerFacts): boolean => isAllPowerful(role) || role.mayCreateSubscriptions;

const subscribing: Rule = {
  id: 'PGG173',
  title: 'our roles may subscribe',
  severity: 'blocker',
  background: `CREATE SUBSCRIPTION needs a superuser before 16 (on a managed service its stand-in: rds_superuser, cloudsqlsuperuser,
azure_pg_admin), and membership in pg_create_subscription from 16 on, together with CREATE on the database. The subscriber is the
target; for the way back also the source. A source before 16 whose role is no superuser has no way back: make the role one
for the time of the migration.`,
  check: (facts, { wantsReverse }) =>
    SIDES.flatMap((side): Report[] => {
      const server = serverOf(facts, side);
      if (maySubscribe(server) || (side === 'source' && !wantsReverse)) return [];
      return [
        {
          title: `role ${server.role.name} may not make a subscription on the ${side}`,
          object: `role ${server.role.name}`,
          fix: becomeSubscriber(server),
          fixOn: side,
          blocks: side === 'target' ? 'following the source' : 'the way back',
        },
      ];
    }),
};

/** The publisher must ask for a password, or it refuses a subscription of a role that is no superuser. */
function passwordless(facts: PreflightFacts, side: Side): boolean {
  const publisher = serverOf(facts, side === 'source' ? 'target' : 'source');
  return !isAllPowerful(serverOf(facts, side).role) && !publisher.role.hasPassword;
}

const subscriptionPassword: Rule = {
  id: 'PGG174',
  title: 'subscriptions can log in with a password',
  severity: 'blocker',
  background: `The connection of a subscription whose owner is no superuser must use a password (password_required): without one it could act
with the rights of the server's own account. Give our role a password on the publisher and name it where libpq finds it (.pgpass,
PGPASSWORD, passwordFrom).`,
  check: (facts, { wantsReverse }) =>
    SIDES.filter((side) => (side === 'target' || wantsReverse) && passwordless(facts, side)).map(
      (side): Report => ({
        title: `the subscription on the ${side} needs a password for its publisher, and we log in there without one`,
        object: `role ${serverOf(facts, side).role.name}`,
      }),
    ),
};

const targetRights: Rule = {
  id: 'PGG175',
  title: 'our role may build the schema on the target',
  severity: 'blocker',
  background: `Loading the schema needs CREATE on the target's database, the right to create the roles that are missing (CREATEROLE), and
the rights of each owner that exists there already (inherited and, from 16 on, with SET; or the right to grant it, which sync then uses):
objects are given to their owners, rows are copied and compared, and the apply worker (16 on) switches to the owner of the table:
"role mig cannot SET ROLE to app" otherwise, and no row arrives. A managed service's administrator needs that like others. Before 15
everybody could create in the schema public, and from 15 on only the owner of a database can say that again: with a source before 15
our role must be it, and sync gives the database to the owner that it has on the source, where our role may.`,
  check({ source, target }) {
    const { role, identity } = target;
    const there = new Map(target.roles.map((one) => [one.name, one.mayActAs]));
    const absent = source.objects.ownerRoles.filter((owner) => !there.has(owner));
    const strangers = source.objects.ownerRoles.filter((owner) => there.get(owner) === false);
    const lines = [
      ...(role.mayCreateInDatabase
        ? []
        : [grant(`CREATE ON DATABASE ${quoteName(identity.database)}`, role)]),
      ...(majorVersion(source) >= 15 || role.ownsPublic
        ? []
        : [`ALTER DATABASE ${quoteName(identity.database)} OWNER TO ${quoteName(role.name)};`]),
      ...(absent.length === 0 || role.mayCreateRoles || isAllPowerful(role)
        ? []
        : [alter(role, 'CREATEROLE')]),
      ...actAs(target, strangers),
    ];
    if (lines.length === 0) return [];
    return [
      {
        title: `role ${role.name} may not build the schema on the target`,
        object: `role ${role.name}`,
        fix: lines.join('\n'),
        fixOn: 'target',
        blocks: 'loading the schema',
      },
    ];
  },
};

const ORIGIN_FUNCTIONS = [
  'pg_replication_origin_advance(text, pg_lsn)',
  'pg_replication_origin_progress(text, boolean)',
];

/** 13 asks for a superuser in C, which no managed service gives. */
function moveOrigins(server: ServerFacts): Pick<Report, 'fix' | 'detail'> {
  const { role, identity } = server;
  if (majorVersion(server) >= 14)
    return {
      fix: ORIGIN_FUNCTIONS.map((one) => grant(`EXECUTE ON FUNCTION pg_catalog.${one}`, role)).join('\n'),
    };
  if (identity.platform === 'plain') return { fix: alter(role, 'SUPERUSER') };
  return {
    detail:
      'PostgreSQL 13 lets only superusers do it, and pgglide makes no switch without a way back: bring that server to 14 first.',
  };
}

const originFunctions: Rule = {
  id: 'PGG176',
  title: 'our roles may move a replication origin',
  severity: 'blocker',
  background: `At the switch pgglide tells the new subscription where to start by advancing its replication origin, so that what the old link
brought is never sent back. The functions for that are for superusers unless granted; before 14 a grant does not help.`,
  check: (facts, { wantsReverse }) =>
    SIDES.flatMap((side): Report[] => {
      const server = serverOf(facts, side);
      const { role } = server;
      if (role.mayAdvanceOrigins || !wantsReverse) return [];
      return [
        {
          title: `role ${role.name} may not advance replication origins on the ${side}`,
          object: `role ${role.name}`,
          ...moveOrigins(server),
          fixOn: side,
          blocks: 'the way back',
        },
      ];
    }),
};

const rowSecurity: Rule = {
  id: 'PGG137',
  title: 'no row is hidden from us by row-level security',
  severity: 'blocker',
  background: `A table with row-level security shows a role without BYPASSRLS only the rows its policies allow, unless the role is (or
inherits) the table's owner and the table does not FORCE it. A copy made that way is incomplete and looks healthy. pgglide sets
row_security = off, so that the server refuses instead of hiding, and the apply worker refuses to write such a table. Give our roles
BYPASSRLS for the time of the migration (never the owner: the application would see every row). On the target our role
inherits each owner (PGG175), so there only forced tables count. From 16 on the apply worker acts as the owner of a table, which a
forced one binds: where our role has BYPASSRLS the subscription is made WITH (run_as_owner = true).`,
  check: (facts) =>
    SIDES.flatMap((side): Report[] => {
      const server = serverOf(facts, side);
      const hidden = facts.source.objects.tables.filter(
        (table) =>
          table.hasRowSecurity && (table.forcesRowSecurity || (side === 'source' && !table.mayActAsOwner)),
      );
      if (server.role.bypassesRowSecurity || hidden.length === 0) return [];
      return [
        {
          title: `row-level security hides rows of ${some(hidden.map(qualified))} from role ${server.role.name} on the ${side}`,
          object: `role ${server.role.name}`,
          ...seeEveryRow(server),
          fixOn: side,
          blocks: side === 'source' ? 'a complete copy' : 'applying changes',
        },
      ];
    }),
};

/** Managed services let few roles give BYPASSRLS, or none. */
const seeEveryRow = ({ identity, role }: ServerFacts): Pick<Report, 'fix' | 'detail'> => ({
  fix: alter(role, 'BYPASSRLS'),
  ...(identity.platform === 'plain'
    ? {}
    : {
        detail:
          'Where the service does not let you: membership in the owner does for tables that do not FORCE it.',
      }),
});

export const privilegeRules: readonly Rule[] = [
  rowSecurity,
  replication,
  publishing,
  reading,
  subscribing,
  subscriptionPassword,
  targetRights,
  originFunctions,
];
