/**
 * Every configuration key: its check, its default and its description. docs/config.md, the file that
 * `pgglide init` writes, the PGGLIDE_* variables and --set are all made from this one schema.
 */

import { z } from 'zod';
import { OPERATORS } from './operator-cluster.ts';
import { LONGEST_WAIT_MS, parseBytes, parseDurationMs, parseRate } from './units.ts';

export type KeyKind =
  | 'text'
  | 'list'
  | 'number'
  | 'boolean'
  | 'size'
  | 'rate'
  | 'duration'
  | 'choice'
  | 'map';

/** What the manual says about a key; kept with its schema. */
export interface KeyDoc {
  readonly kind: KeyKind;
  readonly description: string;
  /** As people write it. */
  readonly default?: string | number | boolean | readonly string[];
  readonly example?: string;
}

function withDefault<S extends z.ZodType>(
  schema: S,
  doc: KeyDoc & { default: NonNullable<KeyDoc['default']> },
) {
  return schema.prefault(doc.default as z.input<S>).meta({ ...doc });
}
const optional = <S extends z.ZodType>(schema: S, doc: Omit<KeyDoc, 'default'>) =>
  schema.optional().meta({ ...doc });

/** A number with a unit, kept as a plain number; `wanted` names the form in the error. */
const amount = (parse: (value: string | number) => number | undefined, wanted: string) =>
  z.unknown().transform((value, context) => {
    const parsed = typeof value === 'string' || typeof value === 'number' ? parse(value) : undefined;
    if (parsed !== undefined) return parsed;
    context.issues.push({ code: 'custom', message: `expected ${wanted}`, input: value });
    return z.NEVER;
  });
const size = amount(parseBytes, 'a size with its unit, such as 2GB');
const rate = amount(parseRate, 'a rate with its unit, such as 200MB/s');
const duration = amount(parseDurationMs, 'a duration such as 2s, 10min or 24h');
/** What is given no time at all never succeeds. */
const timeLimit = duration
  .refine((ms) => ms > 0, { error: 'expected more than no time' })
  .refine((ms) => ms <= LONGEST_WAIT_MS, { error: 'expected at most 24d' });

const text = z.string().min(1);
/** It stands in messages, log lines and names of objects. */
const name = z.string().regex(/^\P{Cc}+$/u, 'expected a name without control characters');
const count = z.number().int().min(1).max(256);
const laneCount = z.number().int().min(1).max(32);
const sessions = z.number().int().min(1).max(100_000);
const relation = z.string().regex(/^[^.].*\.[^.]|^"/, 'expected schema.relation');
const hostAndPort = z.string().regex(/^(\S+:)?\d{1,5}$/, 'expected host:port');
const control = z.string().regex(/^(unix:.+|https?:\/\/\S+)$/, 'expected unix:PATH or http://HOST:PORT');

const secretKeyRef = z.strictObject({
  name: text.meta({ kind: 'text', description: 'The Secret’s name.', example: 'pg15-login' }),
  key: withDefault(text, { kind: 'text', description: 'Which of its keys.', default: 'password' }),
  namespace: optional(text, {
    kind: 'text',
    description: 'Its namespace; the one that is worked in when not given.',
  }),
});

/** From the environment `all` comes as a list of one. */
const databases = z
  .union([z.literal('all'), z.array(text).min(1)], { error: 'expected a list of databases, or all' })
  .transform((value) => (Array.isArray(value) && value.length === 1 && value[0] === 'all' ? 'all' : value))
  .refine((value) => value === 'all' || new Set(value).size === value.length, {
    message: 'names a database twice',
  });

const WORKLOAD = /^(deployment|statefulset|daemonset)\/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;

const passwordFrom = z
  .strictObject({
    file: optional(text, {
      kind: 'text',
      description: 'The first line of this file.',
      example: '/run/secrets/password',
    }),
    env: optional(text, {
      kind: 'text',
      description: 'This environment variable.',
      example: 'SHOP_PASSWORD',
    }),
    command: optional(text, {
      kind: 'text',
      description: 'The first line that this shell command prints.',
      example: 'pass show pg/shop',
    }),
    secretKeyRef: secretKeyRef.optional().meta({
      description:
        'A Secret of Kubernetes. The manifests of `pgglide k8s render` mount it; elsewhere it is read from the cluster.',
    }),
  })
  .refine((value) => Object.values(value).filter((item) => item !== undefined).length === 1, {
    message: 'expected exactly one of file, env, command and secretKeyRef',
  });

const operatorCluster = z.strictObject({
  operator: z
    .enum(OPERATORS, { error: `expected ${OPERATORS.slice(0, -1).join(', ')} or ${OPERATORS.at(-1)}` })
    .meta({ kind: 'choice', description: 'Who runs it: cloudnative-pg, zalando or crunchy.' }),
  cluster: text.meta({ kind: 'text', description: 'The cluster’s name.', example: 'shop-15' }),
  namespace: optional(text, {
    kind: 'text',
    description: 'Its namespace; the one that is worked in when not given.',
  }),
  secret: optional(text, {
    kind: 'text',
    description: 'The login Secret, where it is not the one that the operator makes for the role.',
  }),
});

const port = z.union([z.number(), z.string()]).transform(String);

/** A server: `uri` or `conninfo` or `service`, and single keywords that override what those say. */
const server = (side: 'source' | 'target', other: 'source' | 'target') =>
  z.strictObject({
    uri: optional(text, { kind: 'text', description: 'postgresql://user@host:port/database?sslmode=...' }),
    conninfo: optional(text, { kind: 'text', description: 'libpq’s keyword=value form.' }),
    service: optional(text, { kind: 'text', description: 'A section of pg_service.conf.' }),
    host: optional(text, { kind: 'text', description: 'Name, address, or the folder of a Unix socket.' }),
    port: optional(port, { kind: 'number', description: 'TCP port, or the number in the socket’s name.' }),
    user: optional(text, { kind: 'text', description: 'The role to log in as.' }),
    database: optional(text, { kind: 'text', description: 'The database to migrate.' }),
    sslmode: optional(text, { kind: 'text', description: 'As in libpq; verify-full is the safe one.' }),
    sslrootcert: optional(text, { kind: 'text', description: 'A file, or `system`.' }),
    sslcert: optional(text, { kind: 'text', description: 'The client certificate’s file.' }),
    sslkey: optional(text, {
      kind: 'text',
      description: 'The client key’s file, readable by its owner only.',
    }),
    options: optional(text, { kind: 'text', description: 'Sent at the start of a session: -c name=value.' }),
    connectTimeout: optional(timeLimit, {
      kind: 'duration',
      description: 'Per attempt; 10s when nothing says otherwise.',
    }),
    password: optional(text, {
      kind: 'text',
      description: 'Better: `passwordFrom`, .pgpass or the environment.',
    }),
    passwordFrom: passwordFrom
      .optional()
      .meta({ description: 'Where the password comes from: exactly one of these.' }),
    kubernetes: operatorCluster.optional().meta({
      description:
        'A cluster of an operator, instead of a connection string: its Service and Secret say the rest. The role is `user`, or postgres.',
    }),
    [side === 'source' ? 'seenByTarget' : 'seenBySource']: optional(text, {
      kind: 'text',
      description: `A connection string with what differs when the ${other}’s server connects to this one (it subscribes): other host, other port, certificate files over there.`,
      example: `host=${side}.internal port=5432`,
    }),
  });

export const configSchema = z.strictObject({
  migration: optional(name, {
    kind: 'text',
    description:
      'The migration’s name: everything we create is named after it. When nothing is given, the name of the source’s database.',
    example: 'shop-15-to-16',
  }),
  source: server('source', 'target').prefault({}).meta({
    description:
      'The server to leave. A connection string, or these keys. PG* variables fill what is left open.',
  }),
  target: server('target', 'source').prefault({}).meta({
    description:
      'The server to move to: a connection string, or these keys. PG* variables do not apply to it.',
  }),
  databases: optional(databases, {
    kind: 'list',
    description:
      'The databases to move together, in one switch; their names are the same on both servers. `all`: every one of the source. When not given, the one database that `source` names.',
    example: '[shop, billing]',
  }),
  scope: z
    .strictObject({
      schemas: optional(z.array(text).min(1), {
        kind: 'list',
        description: 'Only these schemas; otherwise all but the system’s.',
        example: '[public, billing]',
      }),
      exclude: withDefault(z.array(relation), {
        kind: 'list',
        description: 'Tables to leave behind, as schema.table, with what they own.',
        default: [],
        example: '[public.audit_2019]',
      }),
    })
    .prefault({})
    .meta({ description: 'What to migrate.' }),
  copy: z
    .strictObject({
      jobs: withDefault(count, {
        kind: 'number',
        description: 'Tables and parts of tables copied at once; each is a session on both servers.',
        default: 4,
      }),
      indexJobs: optional(count, {
        kind: 'number',
        description: 'Indexes and constraints built at once. As many as `jobs` when not given.',
      }),
      splitTablesLargerThan: withDefault(size, {
        kind: 'size',
        description:
          'A larger table is copied in several parts at once; a smaller one only where it would keep one job busy long after the others.',
        default: '2GB',
      }),
      rateLimit: optional(rate, {
        kind: 'rate',
        description: 'All jobs together read at most this much from the source.',
        example: '200MB/s',
      }),
      unloggedTables: withDefault(z.enum(['carry', 'empty'], { error: 'expected carry or empty' }), {
        kind: 'choice',
        description:
          'carry: the rows of unlogged tables are copied at the sync and again before each switch, in whole and outside its pause. empty: they come as definitions, and each side keeps its own rows.',
        default: 'carry',
      }),
    })
    .prefault({})
    .meta({ description: 'The initial copy.' }),
  replication: z
    .strictObject({
      lanes: withDefault(laneCount, {
        kind: 'number',
        description:
          'Over how many lanes the tables are divided when they are copied. Each has a slot, a WAL sender and an apply worker of its own, in both directions, so that a busy source’s changes are applied side by side; see throttling.md.',
        default: 1,
      }),
      divide: withDefault(z.enum(['groups', 'tables'], { error: 'expected groups or tables' }), {
        kind: 'choice',
        description:
          'groups: tables that foreign keys connect stay in one lane. tables: only partitions do; then a TRUNCATE ... CASCADE of tables in several lanes stops the link.',
        default: 'groups',
      }),
    })
    .prefault({})
    .meta({ description: 'The link between the servers.' }),
  throttle: z
    .strictObject({
      maxWalRetained: withDefault(size, {
        kind: 'size',
        description:
          'How much WAL our slots may keep on the source. There `sync` stops and drops the slot, so that the disk does not fill up.',
        default: '20GB',
      }),
      maxReplicaLag: optional(duration, {
        kind: 'duration',
        description: 'The copy stands still while a physical standby of the source is further behind.',
        example: '10s',
      }),
      maxActiveSessions: optional(sessions, {
        kind: 'number',
        description:
          'The copy stands still while more sessions than this (ours left out) execute a statement on the source.',
        example: '16',
      }),
      flagFile: optional(text, {
        kind: 'text',
        description: 'The copy stands still while this file exists on the machine where `sync` runs.',
        example: './pgglide.slow',
      }),
      maxSlotWait: withDefault(timeLimit, {
        kind: 'duration',
        description:
          'How long the creation of the slot may wait for transactions that are open; then `sync` gives up and leaves no slot.',
        default: '10min',
      }),
    })
    .prefault({})
    .meta({ description: 'What the migration may cost the source.' }),
  verify: z
    .strictObject({
      bits: withDefault(z.union([z.literal(64), z.literal(128)], { error: 'expected 64 or 128' }), {
        kind: 'choice',
        description: 'Width of a row’s hash: 64 or 128.',
        default: 64,
      }),
      jobs: withDefault(count, { kind: 'number', description: 'Ranges compared at once.', default: 2 }),
      staleAfter: withDefault(duration, {
        kind: 'duration',
        description: 'A verification older than this no longer counts for the cutover.',
        default: '24h',
      }),
    })
    .prefault({})
    .meta({ description: 'The comparison of both sides.' }),
  cutover: z
    .strictObject({
      pauseBudget: withDefault(timeLimit, {
        kind: 'duration',
        description:
          'How long requests may wait. Past it, traffic goes on where it was and the command ends with exit code 6.',
        default: '2s',
      }),
      prewarm: withDefault(z.boolean(), {
        kind: 'boolean',
        description:
          'Read into the new side’s cache, before the pause, what is cached on the old one. Needs the extensions pg_buffercache there and pg_prewarm here.',
        default: false,
      }),
      guard: z
        .strictObject({
          verified: withDefault(z.boolean(), {
            kind: 'boolean',
            description: 'Do not start unless a verification has found both sides equal.',
            default: true,
          }),
        })
        .prefault({})
        .meta({ description: 'What must be true before traffic is paused.' }),
    })
    .prefault({})
    .meta({ description: 'The switch, there and back.' }),
  kubernetes: z
    .strictObject({
      kubeconfig: optional(text, {
        kind: 'text',
        description:
          'The file that names the cluster. When not given: $KUBECONFIG, ~/.kube/config, or the cluster whose pod we run in.',
        example: '~/.kube/config',
      }),
      context: optional(text, {
        kind: 'text',
        description: 'The kubeconfig’s context. Its current one when not given.',
        example: 'production',
      }),
      namespace: optional(text, {
        kind: 'text',
        description: 'The application’s namespace. The context’s when not given.',
        example: 'shop',
      }),
    })
    .prefault({})
    .meta({ description: 'Which Kubernetes cluster, where one is needed.' }),
  traffic: z
    .strictObject({
      driver: withDefault(
        z.enum(['proxy', 'kubernetes', 'pgbouncer', 'hook', 'none'], {
          error: 'expected proxy, kubernetes, pgbouncer, hook or none',
        }),
        {
          kind: 'choice',
          description:
            'What holds requests: proxy, our own; kubernetes, our own, put in and taken out by us; pgbouncer; hook, a program of yours; none, and then nothing can be switched.',
          default: 'proxy',
        },
      ),
      proxies: optional(z.array(text), {
        kind: 'list',
        description:
          'Control addresses of all proxies (unix:PATH, http://HOST:PORT, https://HOST:PORT). The one in `proxy.control` when not given.',
        example: '[unix:./pgglide-proxy.sock]',
      }),
      tokenFile: optional(text, {
        kind: 'text',
        description:
          'The token for proxies at https:// addresses; only its owner may read the file. `proxy.tokenFile` when not given.',
      }),
      caFile: optional(text, {
        kind: 'text',
        description:
          'Certificates (PEM) that vouch for proxies at https:// addresses. The public ones when not given.',
      }),
      kubernetes: z
        .strictObject({
          configMap: optional(text, {
            kind: 'text',
            description: 'The ConfigMap from which the application knows its database.',
            example: 'shop-config',
          }),
          secret: optional(text, {
            kind: 'text',
            description: 'The same, where it is a Secret.',
          }),
          urlKey: optional(text, {
            kind: 'text',
            description:
              'Its key with a connection string: a URL, libpq’s keyword=value, or a file that holds one. Only host and port in it are changed.',
            example: 'DATABASE_URL',
          }),
          hostKey: optional(text, {
            kind: 'text',
            description:
              'Its key with the host alone (such as PGHOST), where the application has it in parts.',
          }),
          portKey: optional(text, {
            kind: 'text',
            description: 'Beside `hostKey`: the key with the port, such as PGPORT.',
          }),
          workloads: withDefault(
            z.array(
              z.string().regex(WORKLOAD, 'expected deployment/NAME, statefulset/NAME or daemonset/NAME'),
            ),
            {
              kind: 'list',
              description: 'Who reads it at a start: they are restarted, a pod at a time, when it changes.',
              default: [],
              example: '[deployment/shop]',
            },
          ),
          image: optional(text, {
            kind: 'text',
            description: 'Of the proxy’s pods. `pgglide:` and this version when not given.',
            example: 'registry.example/pgglide:0.1.0',
          }),
          pullSecret: optional(text, {
            kind: 'text',
            description: 'The Secret for the image’s registry.',
          }),
          tlsSecret: optional(text, {
            kind: 'text',
            description:
              'A Secret of type kubernetes.io/tls: the certificate that the proxy shows to the application.',
          }),
          replicas: withDefault(count, { kind: 'number', description: 'Pods of the proxy.', default: 2 }),
          source: optional(text, {
            kind: 'text',
            description:
              'A connection string with what differs when pods connect to the source: host=, port=. `source.seenByTarget` when not given.',
            example: 'host=pg-source port=5432',
          }),
          target: optional(text, {
            kind: 'text',
            description:
              'The same for the target, to which the application is pointed in the end. `target.seenBySource` when not given.',
            example: 'host=pg-target port=5432',
          }),
          rolloutTimeout: withDefault(timeLimit, {
            kind: 'duration',
            description:
              'How long a restart may take before it is undone. A rollout that is told to be stuck is undone at once.',
            default: '10min',
          }),
        })
        .prefault({})
        .meta({ description: 'For `traffic.driver: kubernetes`; the cluster is named under `kubernetes`.' }),
      pgbouncer: z
        .strictObject({
          consoles: withDefault(z.array(text), {
            kind: 'list',
            description:
              'Connection strings of the PgBouncers’ consoles, for a role of admin_users; passwords best from .pgpass.',
            default: [],
            example: '[host=10.0.0.5 port=6432 user=pgglide]',
          }),
          configFiles: withDefault(z.array(text), {
            kind: 'list',
            description:
              'For each console the file with the database’s entry, as this machine sees it: pgglide rewrites it.',
            default: [],
            example: '[/etc/pgbouncer/pgbouncer.ini]',
          }),
          database: optional(text, {
            kind: 'text',
            description: 'The entry’s name under [databases]. The source’s database when not given.',
          }),
        })
        .prefault({})
        .meta({ description: 'For `traffic.driver: pgbouncer`.' }),
      hook: z
        .strictObject({
          program: optional(text, {
            kind: 'text',
            description: 'The program that holds and switches traffic.',
            example: './switch-traffic.sh',
          }),
          timeout: withDefault(timeLimit, {
            kind: 'duration',
            description: 'It is killed when an action takes longer; a pause gets the pause budget on top.',
            default: '30s',
          }),
        })
        .prefault({})
        .meta({ description: 'For `traffic.driver: hook`.' }),
    })
    .prefault({})
    .meta({ description: 'What stands between the application and the servers.' }),
  hooks: z
    .strictObject({
      dir: optional(text, {
        kind: 'text',
        description:
          'The folder with the programs: on-following, on-validated, on-schema-changed, before-cutover, on-switched, on-failure. None is run when not given.',
        example: './hooks',
      }),
      timeout: withDefault(timeLimit, {
        kind: 'duration',
        description: 'A hook that takes longer is ended, with all that it has started.',
        default: '60s',
      }),
    })
    .prefault({})
    .meta({ description: 'Programs of yours that are run when something has happened; see hooks.md.' }),
  dashboard: z
    .strictObject({
      listen: withDefault(hostAndPort, {
        kind: 'text',
        description: 'Where the page is served. Addresses that others reach only with `dashboard.tokenFile`.',
        default: '127.0.0.1:8433',
      }),
      tokenFile: optional(text, {
        kind: 'text',
        description:
          'Its first line is the token that the page asks for, 32 characters or more; only its owner may read the file. A new one at each start when not given.',
      }),
    })
    .prefault({})
    .meta({ description: 'The live web page.' }),
  proxy: z
    .strictObject({
      listen: withDefault(hostAndPort, {
        kind: 'text',
        description: 'Where applications connect.',
        default: '127.0.0.1:6432',
      }),
      control: withDefault(control, {
        kind: 'text',
        description:
          'Where the proxy takes commands: unix:PATH; http://HOST:PORT on loopback; https://HOST:PORT with `proxy.tokenFile` and `proxy.tls`.',
        default: 'unix:./pgglide-proxy.sock',
      }),
      tokenFile: optional(text, {
        kind: 'text',
        description:
          'Its first line is the token that commands over https:// must bring, 32 characters or more; only its owner may read the file.',
      }),
      tls: z
        .strictObject({
          cert: optional(text, {
            kind: 'text',
            description: 'PEM: the certificate, then its chain. Read again when it changes.',
          }),
          key: optional(text, { kind: 'text', description: 'PEM: the certificate’s key.' }),
        })
        .refine(({ cert, key }) => (cert === undefined) === (key === undefined), {
          message: 'expected both cert and key, or neither',
        })
        .prefault({})
        .meta({ description: 'TLS towards clients, and for commands over https://. Off when not given.' }),
      usersFile: optional(text, {
        kind: 'text',
        description:
          'Roles whose verifiers the servers do not show, one a line: "role" "password or verifier". Only its owner may read it.',
      }),
      immovable: withDefault(
        z.enum(['refuse', 'wait', 'terminate'], { error: 'expected refuse, wait or terminate' }),
        {
          kind: 'choice',
          description:
            'Sessions with temporary tables or WITH HOLD cursors: refuse the switch; wait for them to let go, in the pause; terminate them with SQLSTATE 57P01.',
          default: 'refuse',
        },
      ),
      limits: z
        .strictObject({
          maxClients: withDefault(z.number().int().min(1), {
            kind: 'number',
            description:
              'Sessions at once; one more is refused with SQLSTATE 53300. Each takes two open files, three while a switch is prepared: fewer where the system’s limit (ulimit -n) does not allow as many.',
            default: 10_000,
          }),
          startupTimeout: withDefault(timeLimit, {
            kind: 'duration',
            description: 'A client that has not logged in after this time is disconnected.',
            default: '60s',
          }),
          connectTimeout: withDefault(timeLimit, {
            kind: 'duration',
            description: 'Opening one connection to a server.',
            default: '10s',
          }),
        })
        .prefault({})
        .meta({ description: 'What clients may take.' }),
      stateFile: optional(text, {
        kind: 'text',
        description:
          'Where the proxy remembers the side it serves, for a restart while the target cannot be read. Beside the control socket when not given.',
        example: './pgglide-proxy.state',
      }),
      workers: withDefault(count, {
        kind: 'number',
        description: 'Processes that share the work, on one port.',
        default: 1,
      }),
    })
    .prefault({})
    .meta({ description: 'The built-in proxy (`pgglide proxy`).' }),
});

export type Config = z.output<typeof configSchema>;
