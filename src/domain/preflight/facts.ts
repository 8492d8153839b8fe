/**
 * What a check knows about both servers before it judges.
 *
 * Everything that least privilege may hide is `| undefined`: undefined means "could not look", never "none".
 */

import type { Side, TableName } from '../names.ts';

/** Whose rules apply: managed services replace superuser by a role of their own and ALTER SYSTEM by a console. */
export type Platform = 'plain' | 'rds' | 'cloudsql' | 'azure';

export interface Setting {
  /** What a new session of ours starts with, in the setting's base unit. */
  readonly value: string;
  /** PostgreSQL's own: `postmaster` needs a restart, `sighup` a reload ... */
  readonly context: string;
  /** Somebody wrote it into the server's configuration file. */
  readonly isInFile: boolean;
}
export type Settings = ReadonlyMap<string, Setting>;

export interface ServerIdentity {
  /** 150018 */
  readonly versionNumber: number;
  /** "15.18" */
  readonly version: string;
  readonly systemIdentifier: string | undefined;
  /** Text with microseconds: two servers do not share it by chance. */
  readonly startedAt: string;
  readonly isStandby: boolean;
  readonly platform: Platform;
  readonly database: string;
  readonly databaseBytes: number | undefined;
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  /** libc, icu or builtin; before 15 always libc. */
  readonly localeProvider: 'libc' | 'icu' | 'builtin';
  /** With its rules, which a database may have since 16. */
  readonly icuLocale: string | undefined;
  /** What the database was created with, and what the library says now. */
  readonly collationVersion: string | undefined;
  readonly actualCollationVersion: string | undefined;
  /** We reach it by a loopback address or a Unix socket, as nobody on another host can. */
  readonly isLoopback: boolean;
  /** Server clock minus ours, at the middle of the round trip. */
  readonly clockOffsetMs: number;
}

/** The role that we log in as. */
export interface OwnRole {
  readonly name: string;
  readonly isSuperuser: boolean;
  /** REPLICATION, or the managed service's role for it. */
  readonly mayReplicate: boolean;
  readonly bypassesRowSecurity: boolean;
  /** Before 16 a role without INHERIT has the rights of none of the roles it is a member of. */
  readonly inherits: boolean;
  readonly mayCreateRoles: boolean;
  readonly mayCreateDatabases: boolean;
  readonly mayCreateInDatabase: boolean;
  /** The schema: from 15 on who owns the database does. */
  readonly ownsPublic: boolean;
  /** Member of the managed service's stand-in for a superuser. */
  readonly isManagedSuperuser: boolean;
  /** From 16 on: pg_create_subscription. */
  readonly mayCreateSubscriptions: boolean;
  readonly seesAllActivity: boolean;
  readonly seesAllSettings: boolean;
  readonly mayAdvanceOrigins: boolean;
  /** Logs in with a password: a subscription of a role that is no superuser must have one. */
  readonly hasPassword: boolean;
}

/** What is in use of the things that are counted. */
export interface Usage {
  readonly slots: number;
  readonly origins: number;
  readonly walSenders: number;
  readonly applyWorkers: number;
  readonly backgroundWorkers: number | undefined;
  readonly connections: number;
  readonly walBytes: number | undefined;
}

export interface Extension {
  readonly name: string;
  readonly version: string;
  readonly schema: string;
  /** Tables whose rows belong to the user, not to the extension. */
  readonly configurationTables: readonly string[];
}
export interface AvailableExtension {
  readonly name: string;
  readonly defaultVersion: string;
}

export interface Role {
  readonly name: string;
  readonly canLogin: boolean;
  /** What it owns we may make and write, or may give ourselves the right to. */
  readonly mayActAs: boolean;
}
/** How a login role proves itself; `none` has no password at all. */
export interface RolePassword {
  readonly role: string;
  readonly kind: 'scram' | 'md5' | 'none';
}

/** ALTER ROLE/DATABASE ... SET. */
export interface StoredSetting {
  readonly database: string | undefined;
  readonly role: string | undefined;
  readonly name: string;
  readonly value: string;
}

/** GRANT ... ON PARAMETER, from 15 on. */
export interface ParameterGrant {
  readonly parameter: string;
  readonly role: string;
  readonly privilege: string;
}

export interface ReplicationSlot {
  readonly name: string;
  readonly kind: 'physical' | 'logical';
  readonly database: string | undefined;
  readonly isActive: boolean;
  readonly isTemporary: boolean;
  readonly retainedBytes: number | undefined;
}
export interface SubscriptionFact {
  readonly name: string;
  readonly isEnabled: boolean;
  /** On its publisher. */
  readonly slotName: string | undefined;
}
/** FOR ALL TABLES, and not ours. */
export interface AllTablesPublication {
  readonly name: string;
  /** Empty where there is none. */
  readonly comment: string;
  /** A slot of others in this database that a native subscriber may read from. */
  readonly hasReader: boolean;
}
export interface EventTrigger {
  readonly name: string;
  readonly event: string;
}

/** The same looks at either server. */
export interface ServerFacts {
  readonly identity: ServerIdentity;
  readonly settings: Settings;
  readonly role: OwnRole;
  readonly usage: Usage;
  readonly extensions: readonly Extension[];
  readonly roles: readonly Role[];
  readonly storedSettings: readonly StoredSetting[];
  readonly parameterGrants: readonly ParameterGrant[];
  readonly tablespaces: readonly string[];
  readonly publications: readonly string[];
  readonly allTablesPublications: readonly AllTablesPublication[];
  readonly subscriptions: readonly SubscriptionFact[];
  readonly slots: readonly ReplicationSlot[];
  readonly eventTriggers: readonly EventTrigger[];
  /** Relations in a schema named like ours. */
  readonly ownSchemaTables: readonly string[];
  /** Synchronous standbys that are connected. */
  readonly synchronousStandbys: number;
  /** Undefined: this role sees only its own sessions. */
  readonly activity: Activity | undefined;
}

export interface IndexFact {
  readonly schema: string;
  readonly name: string;
  readonly isPrimary: boolean;
  readonly isUnique: boolean;
  /** False for DEFERRABLE ones. */
  readonly isImmediate: boolean;
  readonly isValid: boolean;
  readonly isReplicaIdentity: boolean;
  readonly isPartial: boolean;
  readonly hasExpressions: boolean;
  readonly columnsNotNull: boolean;
  /** Such columns are not sent to subscribers. */
  readonly hasGeneratedColumn: boolean;
  readonly isBtree: boolean;
  readonly leadsWithColumn: boolean;
  readonly columns: readonly string[];
}

export interface TableFact extends TableName {
  /** A partitioned table holds no rows itself; its leaves are here too. */
  readonly isPartitioned: boolean;
  /** The root of the partition tree that this table is a part of. */
  readonly root: TableName | undefined;
  /** It inherits from a table, or a table from it; partitions do not count. */
  readonly isInInheritanceTree: boolean;
  /** CREATE TABLE ... OF a type: it takes no column of its own. */
  readonly isTyped: boolean;
  readonly isUnlogged: boolean;
  readonly replicaIdentity: 'default' | 'nothing' | 'full' | 'index';
  readonly owner: string;
  /** We inherit the owner's rights and, from 16 on, may SET ROLE to it. */
  readonly mayActAsOwner: boolean;
  readonly isReadable: boolean;
  readonly hasRowSecurity: boolean;
  readonly forcesRowSecurity: boolean;
  readonly estimatedRows: number;
  readonly estimatedBytes: number;
  /** Transactions since the oldest row was frozen. */
  readonly freezeAge: number;
  readonly tablespace: string | undefined;
  readonly indexes: readonly IndexFact[];
  /** Columns of a type that cannot be compared: json, xml, point ... */
  readonly incomparableColumns: readonly string[];
}

export interface TransactionFact {
  readonly pid: number;
  readonly database: string | undefined;
  readonly user: string | undefined;
  readonly application: string;
  /** "active", "idle in transaction" ... */
  readonly state: string;
  readonly ageMs: number;
  /** It has written something: slot creation waits for it. */
  readonly hasWritten: boolean;
  /** A background worker's, an autovacuum's: pg_stat_activity.backend_type. */
  readonly kind: string;
  /** Autovacuum that no lock request can cancel. */
  readonly preventsWraparound: boolean;
}
export interface PreparedTransaction {
  readonly gid: string;
  readonly database: string;
  readonly owner: string;
  readonly ageMs: number;
}

export interface ConstraintFact {
  readonly table: TableName;
  readonly name: string;
  readonly kind: 'check' | 'foreign key';
}
/** A foreign key between a table that is replicated and one that is not. */
export interface ForeignKeyFact {
  readonly name: string;
  readonly from: TableName;
  readonly to: TableName;
  readonly fromIsReplicated: boolean;
  readonly fromInScope: boolean;
  readonly toInScope: boolean;
}
export interface TriggerFact {
  readonly table: TableName;
  readonly name: string;
  readonly firing: 'always' | 'replica';
}
export interface SequenceFact extends TableName {
  readonly owner: string;
  readonly isReadable: boolean;
}
/** A function that the apply worker or an index build runs on the user's behalf. */
export interface RoutineFact {
  /** schema.name(argument types), quoted by the server: ready for ALTER ROUTINE. */
  readonly signature: string;
  readonly schema: string;
  readonly name: string;
  readonly body: string;
  /** "generated column public.t.c", ... */
  readonly usedBy: readonly string[];
}
/** A function, table or type outside pg_catalog: found by search_path only. */
export interface KnownName {
  readonly kind: 'function' | 'relation' | 'type';
  readonly schema: string;
  readonly name: string;
}

export interface CheckThatReads {
  readonly table: TableName;
  readonly constraint: string;
  /** "CHECK (...)" */
  readonly definition: string;
  readonly function: string;
  readonly reads: string;
}
/** schema and name are the domain's. */
export interface DomainConstraint extends TableName {
  readonly constraint: string;
}
export interface CoarseColumns {
  readonly table: TableName;
  readonly columns: readonly string[];
}
export interface ReorderedChild {
  readonly table: TableName;
  readonly onSource: readonly string[];
  readonly onTarget: readonly string[];
}
/** What copies or applies other than it was written. */
export interface Pitfalls {
  readonly checksThatRead: readonly CheckThatReads[];
  /** Not validated. */
  readonly unvalidatedDomains: readonly DomainConstraint[];
  /** Of REPLICA IDENTITY FULL tables: different values of them may be equal. */
  readonly coarseColumns: readonly CoarseColumns[];
  /** Inheritance children whose columns pg_dump brings into another order. */
  readonly reorderedChildren: readonly ReorderedChild[];
  readonly hasXml: boolean;
  readonly hasArrays: boolean;
  /** Of schemas, tables or columns. */
  readonly hasNonAsciiNames: boolean;
}

export interface SourceObjects {
  readonly pitfalls: Pitfalls;
  readonly tables: readonly TableFact[];
  readonly invalidIndexes: readonly { readonly index: TableName; readonly table: TableName }[];
  readonly unvalidated: readonly ConstraintFact[];
  readonly foreignKeysAcross: readonly ForeignKeyFact[];
  readonly triggers: readonly TriggerFact[];
  readonly hashedByEnum: readonly TableName[];
  readonly rangesOfText: readonly TableName[];
  readonly largeObjects: number;
  readonly materializedViews: readonly (TableName & { readonly isPopulated: boolean })[];
  readonly foreignTables: readonly TableName[];
  readonly usedTablespaces: readonly string[];
  /** Functions without a search_path of their own, run by the apply worker. */
  readonly routines: readonly RoutineFact[];
  readonly knownNames: readonly KnownName[];
  /** Collations whose library changed since they were created. */
  readonly staleCollations: readonly TableName[];
  /** Sequences of owners whose rights we have not. */
  readonly strangeSequences: readonly SequenceFact[];
  /** Roles that own something in scope, or have passed a grant on it on. */
  readonly ownerRoles: readonly string[];
}

export interface Activity {
  readonly transactions: readonly TransactionFact[];
  readonly prepared: readonly PreparedTransaction[];
}

export interface SourceFacts extends ServerFacts {
  readonly objects: SourceObjects;
  /** Undefined: pg_authid is not readable (managed services). */
  readonly passwords: readonly RolePassword[] | undefined;
  /** Tables that a fence of ours refuses writes to. */
  readonly fencedTables: number;
}

export interface TargetObject {
  readonly kind: 'table' | 'view' | 'materialized view' | 'sequence' | 'foreign table' | 'function' | 'type';
  /** Quoted by the server. */
  readonly sqlName: string;
}
export interface TargetFacts extends ServerFacts {
  readonly availableExtensions: readonly AvailableExtension[];
  /** Where this migration stands by its own row; undefined: it has none here. */
  readonly migrationPhase: string | undefined;
  /** Of other names, by their rows: begun and neither completed nor aborted. */
  readonly otherMigrations: readonly string[];
  /** User objects in scope that are there already (the first hundred). */
  readonly objects: readonly TargetObject[];
  /** Tables that a fence of ours refuses writes to. */
  readonly fencedTables: number;
}

/** What sync has made on either side is not in its own way. */
export const isUnderWay = ({ migrationPhase }: TargetFacts): boolean =>
  migrationPhase !== undefined && ['syncing', 'following', 'switched'].includes(migrationPhase);

export interface PreflightFacts {
  readonly migration: string;
  readonly source: SourceFacts;
  readonly target: TargetFacts;
}

export const serverOf = (facts: PreflightFacts, side: Side): ServerFacts =>
  side === 'source' ? facts.source : facts.target;
export const majorVersion = (server: ServerFacts): number =>
  Math.floor(server.identity.versionNumber / 10000);

export const settingOf = (server: ServerFacts, name: string): string | undefined =>
  server.settings.get(name)?.value;
/** Undefined when the server does not know the setting, or hides it. */
export function numberOf(server: ServerFacts, name: string): number | undefined {
  const value = settingOf(server, name);
  return value === undefined ? undefined : Number(value);
}
