/** File -> environment -> flags -> Settings. */

import { isAbsolute, resolve } from 'node:path';
import { homeFolder } from '../base/home-folder.ts';
import { UsageError } from '../domain/errors.ts';
import { checkConfig } from './check-config.ts';
import { clusterKeywords, withoutMountedAuthority } from './cluster-server.ts';
import { type ConfigFile, readConfigFile } from './config-file.ts';
import { resolveKeywords } from './conninfo.ts';
import { type Keywords, parseConninfo } from './conninfo-text.ts';
import { kubernetesTraffic } from './kubernetes-traffic.ts';
import { type ConfigFlags, layer } from './layers.ts';
import type { OperatorCluster } from './operator-cluster.ts';
import { type PasswordSource, readPassword } from './password-source.ts';
import type { Config } from './schema.ts';
import { environmentName } from './schema-keys.ts';
import type { SecretContent, SecretRef } from './secret.ts';
import { seenByServer } from './seen-by-server.ts';
import { type ServerAddress, SYSTEM_AUTHORITIES } from './server-address.ts';
import type { Settings } from './settings.ts';

/**
 * After a switch the new side's caches are cold, and held requests have just been let go: the exact comparison, which reads
 * every row, waits until they are through. It has time, the application has not. Not a user's to choose: only tests have less.
 */
const SETTLE_MS = 2_000;

export interface LoadInput {
  readonly flags: ConfigFlags;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home?: string;
  readonly osUser?: string;
  readonly warn?: (message: string) => void;
  /** Secrets of Kubernetes that are not mounted here, out of the cluster that `kubernetes` names. */
  readonly readSecret?: (ref: SecretRef, cluster: Settings['kubernetes']) => Promise<SecretContent>;
}

/**
 * @throws {UsageError} what is wrong with the configuration: `config_*`, `conninfo_*`, `service_*`,
 *   `password_in_flag`, `password_unavailable`, `source_missing`, `target_missing`
 */
export async function loadSettings(input: LoadInput): Promise<Settings> {
  const { file, config } = readConfig(input);
  const source = await loadServer(config, 'source', file.folder, input);
  const target = await loadServer(config, 'target', file.folder, input);
  const { otherDatabases, ...servers } = moveTogether(config.databases, { source, target });
  return { ...toSettings(config, servers, file.folder, input), otherDatabases };
}

type Servers = Readonly<Record<'source' | 'target', ServerAddress>>;

/**
 * The lead is the database that the source's address names, if it is among them: it stays the lead when the list grows or
 * is written in another order. An address may also name another one, such as `postgres`: then it is the first.
 *
 * @throws {UsageError} `config_bad_value`
 */
function moveTogether(
  databases: Config['databases'],
  { source, target }: Servers,
): Servers & Pick<Settings, 'otherDatabases'> {
  if (databases === undefined) return { source, target, otherDatabases: [] };
  if (databases === 'all') {
    if (source.database === target.database) return { source, target, otherDatabases: 'all' };
    throw new UsageError(
      'config_bad_value',
      'databases: with "all", source and target name different databases',
      {
        hint: 'Name the same one of the application’s databases in both: it keeps the migration’s state.',
      },
    );
  }
  const database = databases.find((name) => name === source.database) ?? databases[0] ?? source.database;
  return {
    source: { ...source, database },
    target: { ...target, database },
    otherDatabases: databases.filter((name) => name !== database),
  };
}

/** The configuration as it is written, checked; no server is resolved and no password read. @throws {UsageError} `config_*`, `password_in_flag` */
export function readConfig({ flags, env, cwd }: Pick<LoadInput, 'flags' | 'env' | 'cwd'>): {
  readonly file: ConfigFile;
  readonly config: Config;
  /** File, environment and flags in one. */
  readonly content: Readonly<Record<string, unknown>>;
} {
  const file = readConfigFile(flags.config ?? (env.PGGLIDE_CONFIG || undefined), cwd);
  const { content, origins } = layer(file.content, env, flags);
  const config = checkConfig(content, (path) => origins.get(path.join('.')) ?? file.locate(path));
  return { file, config, content };
}

/** A server section as keywords of libpq plus what libpq does not know. */
interface Server {
  readonly keywords: Keywords;
  readonly passwordFrom: PasswordSource | undefined;
  readonly cluster: OperatorCluster | undefined;
}

const KEYWORDS: Readonly<Record<string, string>> = {
  service: 'service',
  host: 'host',
  port: 'port',
  user: 'user',
  database: 'dbname',
  sslmode: 'sslmode',
  sslrootcert: 'sslrootcert',
  sslcert: 'sslcert',
  sslkey: 'sslkey',
  options: 'options',
  password: 'password',
};

const FILES: readonly string[] = ['sslrootcert', 'sslcert', 'sslkey'];

function readServer(
  section: Readonly<Record<string, unknown>>,
  side: 'source' | 'target',
  folder: string,
): Server {
  const { uri, conninfo, kubernetes } = section as {
    uri?: string;
    conninfo?: string;
    kubernetes?: OperatorCluster;
  };
  if (uri !== undefined && conninfo !== undefined) {
    throw new UsageError('config_bad_value', `${side} has both uri and conninfo`, {
      hint: 'Keep one of them.',
    });
  }
  const keywords = new Map(parseConninfo(uri ?? conninfo ?? ''));
  for (const [key, keyword] of Object.entries(KEYWORDS)) {
    const value = section[key];
    if (value === undefined) continue;
    const isFile = FILES.includes(key) && value !== SYSTEM_AUTHORITIES;
    keywords.set(keyword, isFile ? resolve(folder, String(value)) : String(value));
  }
  const timeoutMs = section.connectTimeout as number | undefined;
  if (timeoutMs !== undefined) keywords.set('connect_timeout', String(Math.ceil(timeoutMs / 1000)));
  return { keywords, passwordFrom: section.passwordFrom as PasswordSource | undefined, cluster: kubernetes };
}

async function loadServer(
  config: Config,
  side: 'source' | 'target',
  folder: string,
  input: LoadInput,
): Promise<ServerAddress> {
  const { keywords, passwordFrom, cluster } = readServer(config[side], side, folder);
  const isNamed = cluster !== undefined || [...keywords.keys()].some((keyword) => keyword !== 'password');
  const isInEnvironment =
    side === 'source' && ['PGHOST', 'PGHOSTADDR', 'PGSERVICE', 'PGDATABASE'].some((name) => input.env[name]);
  if (!isNamed && !isInEnvironment) throw missing(side);
  const warn = input.warn ?? (() => undefined);
  const { readSecret } = input;
  const chosen = kubernetesSettings(config, folder, input);
  const context = {
    env: input.env,
    readSecret: readSecret && ((ref: SecretRef) => readSecret(ref, chosen)),
    folder,
    warn,
  };
  const password = passwordFrom === undefined ? undefined : await readPassword(passwordFrom, context);
  const given = password === undefined ? keywords : new Map([['password', password], ...keywords]);
  const all = cluster === undefined ? keywords : await clusterKeywords(cluster, given, context);
  // PG* name one server for all; a cluster's name leaves nothing open.
  const environmentDefaults = side === 'source' && cluster === undefined;
  return resolveKeywords(all, { ...input, environmentDefaults, password, warn });
}

const missing = (side: 'source' | 'target'): UsageError =>
  new UsageError(`${side}_missing`, `No ${side} server is configured`, {
    hint: `Write pgglide.yaml with pgglide init, or give --${side} or ${environmentName(side)}.`,
  });

function toSettings(
  config: Config,
  servers: Servers,
  folder: string,
  input: LoadInput,
): Omit<Settings, 'otherDatabases'> {
  const { copy, replication, throttle, verify, cutover, traffic, dashboard, proxy } = config;
  const home = input.home ?? homeFolder();
  const path = (text: string | undefined) => (text === undefined ? undefined : resolve(folder, text));
  const seen = (side: 'source' | 'target', key: 'seenByTarget' | 'seenBySource') => {
    const isCluster = config[side].kubernetes !== undefined;
    const address = isCluster ? withoutMountedAuthority(servers[side]) : servers[side];
    return seenByServer(address, parseConninfo(String(config[side][key] ?? '')), home);
  };
  const control = absoluteSocket(proxy.control, folder);
  return {
    migration: config.migration ?? servers.source.database,
    ...servers,
    sourceForTarget: seen('source', 'seenByTarget'),
    targetForSource: seen('target', 'seenBySource'),
    scope: { schemas: config.scope.schemas, exclude: config.scope.exclude },
    copy: {
      jobs: copy.jobs,
      indexJobs: copy.indexJobs ?? copy.jobs,
      splitTablesLargerThanBytes: copy.splitTablesLargerThan,
      rateLimitBytesPerSecond: copy.rateLimit,
      unloggedTables: copy.unloggedTables,
    },
    replication: { lanes: replication.lanes, divide: replication.divide },
    throttle: {
      maxWalRetainedBytes: throttle.maxWalRetained,
      maxReplicaLagMs: throttle.maxReplicaLag,
      maxActiveSessions: throttle.maxActiveSessions,
      flagFile: path(throttle.flagFile),
      maxSlotWaitMs: throttle.maxSlotWait,
    },
    verify: { bits: verify.bits, jobs: verify.jobs, staleAfterMs: verify.staleAfter, settleMs: SETTLE_MS },
    cutover: {
      pauseBudgetMs: cutover.pauseBudget,
      requireVerified: cutover.guard.verified,
      prewarm: cutover.prewarm,
    },
    kubernetes: kubernetesSettings(config, folder, input),
    traffic: {
      driver: traffic.driver,
      proxies: traffic.proxies?.map((address) => absoluteSocket(address, folder)) ?? [control],
      tokenFile: path(traffic.tokenFile ?? proxy.tokenFile),
      caFile: path(traffic.caFile),
      kubernetes: kubernetesTraffic(traffic.kubernetes, (side, text) => {
        const [own, seenBy] =
          side === 'source' ? (['source', 'seenByTarget'] as const) : (['target', 'seenBySource'] as const);
        return text === undefined
          ? seen(own, seenBy)
          : seenByServer(servers[side], parseConninfo(text), home);
      }),
      pgbouncer: {
        bouncers: loadBouncers(traffic.pgbouncer, folder, input),
        database: traffic.pgbouncer.database ?? servers.source.database,
      },
      hook: { program: path(traffic.hook.program), timeoutMs: traffic.hook.timeout },
    },
    hooks: {
      dir: path(config.hooks.dir),
      timeoutMs: config.hooks.timeout,
      withheld: [config.source, config.target].flatMap(passwordVariable),
    },
    dashboard: { listen: dashboard.listen, tokenFile: path(dashboard.tokenFile) },
    proxy: {
      listen: proxy.listen,
      control,
      tokenFile: path(proxy.tokenFile),
      tls: loadTls(proxy.tls, folder),
      usersFile: path(proxy.usersFile),
      immovable: proxy.immovable,
      limits: {
        maxClients: proxy.limits.maxClients,
        startupTimeoutMs: proxy.limits.startupTimeout,
        connectTimeoutMs: proxy.limits.connectTimeout,
      },
      stateFile: path(proxy.stateFile) ?? stateFileBeside(control),
      workers: proxy.workers,
    },
  };
}

const passwordVariable = (server: Config['source'] | Config['target']): string[] => {
  const from = server.passwordFrom as PasswordSource | undefined;
  return from?.env === undefined ? [] : [from.env];
};

function kubernetesSettings(
  { kubernetes: { kubeconfig, context, namespace } }: Config,
  folder: string,
  { home = homeFolder() }: LoadInput,
): Settings['kubernetes'] {
  const path = kubeconfig?.replace(/^~(?=\/)/, home);
  return { kubeconfig: path === undefined ? undefined : resolve(folder, path), context, namespace };
}

/** Each console with its file. @throws {UsageError} `config_bad_value` */
function loadBouncers(
  { consoles, configFiles }: Config['traffic']['pgbouncer'],
  folder: string,
  input: LoadInput,
): Settings['traffic']['pgbouncer']['bouncers'] {
  if (consoles.length !== configFiles.length) {
    throw new UsageError('config_bad_value', 'traffic.pgbouncer: consoles and configFiles differ in number', {
      hint: 'Name for each console the file that holds its database’s entry, in the same order.',
    });
  }
  return consoles.map((text, index) => {
    const keywords = new Map([['dbname', 'pgbouncer'], ...parseConninfo(text)]);
    return {
      console: resolveKeywords(keywords, input),
      configFile: resolve(folder, configFiles[index] ?? ''),
    };
  });
}

const loadTls = ({ cert, key }: Config['proxy']['tls'], folder: string): Settings['proxy']['tls'] =>
  cert === undefined || key === undefined
    ? undefined
    : { certFile: resolve(folder, cert), keyFile: resolve(folder, key) };

/** unix:./x means a file beside the configuration, whatever folder we run in. */
function absoluteSocket(address: string, folder: string): string {
  if (!address.startsWith('unix:')) return address;
  const path = address.slice('unix:'.length);
  return isAbsolute(path) ? address : `unix:${resolve(folder, path)}`;
}

const stateFileBeside = (control: string): string | undefined =>
  control.startsWith('unix:') ? `${control.slice('unix:'.length)}.state` : undefined;
