/** Environment and flags laid over the file's content, each value remembering where it came from. Pure. */

import { parse as parseYaml } from 'yaml';
import { UsageError } from '../domain/errors.ts';
import { SIDES } from '../domain/names.ts';
import { parseConninfo } from './conninfo-text.ts';
import { nearest } from './nearest.ts';
import { type ConfigKey, configKeys, environmentName } from './schema-keys.ts';

export interface ConfigFlags {
  readonly config?: string | undefined;
  readonly migration?: string | undefined;
  readonly source?: string | undefined;
  readonly target?: string | undefined;
  /** "copy.jobs=8" */
  readonly set?: readonly string[] | undefined;
}

export interface Layered {
  readonly content: Record<string, unknown>;
  /** Key path -> "PGGLIDE_COPY_JOBS" or "--set copy.jobs"; keys that are not in it come from the file. */
  readonly origins: ReadonlyMap<string, string>;
}

type Env = Readonly<Record<string, string | undefined>>;
type Tree = Record<string, unknown>;

/** @throws {UsageError} `password_in_flag`, `config_unknown_key`, `config_bad_value`, `conninfo_invalid` */
export function layer(file: Readonly<Tree>, env: Env, flags: ConfigFlags): Layered {
  const keys = configKeys().filter((key) => key.doc !== undefined);
  const content = structuredClone(file) as Tree;
  const origins = new Map<string, string>();
  const put = (path: string, value: unknown, origin: string) => {
    setAt(content, path.split('.'), value);
    origins.set(path, origin);
  };
  for (const side of SIDES) {
    const whole = content[side];
    if (typeof whole === 'string') content[side] = asServer(whole);
    const variable = environmentName(side);
    const text = env[variable];
    if (text) put(side, asServer(text), variable);
  }
  for (const key of keys) {
    const variable = environmentName(key.path);
    const text = env[variable];
    if (text) put(key.path, readValue(text, key, variable), variable);
  }
  for (const side of SIDES) {
    const text = flags[side];
    if (text === undefined) continue;
    refusePassword(text, `--${side}`, side);
    // The password of another server must not go to this one: only what the environment says for this side stays.
    const password = env[environmentName(`${side}.password`)];
    put(side, { ...asServer(text), ...(password ? { password } : {}) }, `--${side}`);
  }
  for (const setting of flags.set ?? []) applySetting(setting, keys, put);
  if (flags.migration !== undefined) put('migration', flags.migration, '--migration');
  return { content, origins };
}

const asServer = (text: string): Tree =>
  /^postgres(ql)?:\/\//.test(text.trim()) ? { uri: text } : { conninfo: text };

function applySetting(
  setting: string,
  keys: readonly ConfigKey[],
  put: (path: string, value: unknown, origin: string) => void,
): void {
  const equals = setting.indexOf('=');
  const path = setting.slice(0, equals);
  const text = setting.slice(equals + 1);
  const key = keys.find((candidate) => candidate.path === path);
  if (equals < 1) {
    throw new UsageError('config_bad_value', '--set takes KEY=VALUE', {
      hint: 'For example: --set copy.jobs=8',
    });
  }
  if (key === undefined)
    throw unknownKey(
      path,
      keys.map((candidate) => candidate.path),
      '--set',
    );
  const side = /^target|\.target$/.test(path) ? 'target' : 'source';
  if (path.endsWith('.password')) throw passwordInFlag('--set', side);
  if (/\.(uri|conninfo|seenBy\w+|kubernetes\.(source|target))$/.test(path))
    refusePassword(text, '--set', side);
  const value = readValue(text, key, `--set ${path}`);
  if (path.endsWith('.consoles') && Array.isArray(value)) {
    for (const item of value) refusePassword(String(item), '--set', side);
  }
  put(path, value, `--set ${path}`);
}

/** A text stays as it is; everything else is read as YAML would read it, and a list also without its brackets. */
function readValue(text: string, key: ConfigKey, origin: string): unknown {
  const kind = key.doc?.kind;
  if (kind === 'text' || kind === 'size' || kind === 'rate' || kind === 'duration') return text;
  if (kind === 'list' && !text.trim().startsWith('[')) return text.split(',').map((item) => item.trim());
  try {
    return parseYaml(text) as unknown;
  } catch (cause) {
    throw new UsageError('config_bad_value', `${origin}: the value cannot be read`, {
      hint: `${key.path} is a ${kind}.`,
      cause,
    });
  }
}

function setAt(tree: Tree, path: readonly string[], value: unknown): void {
  const [head = '', ...rest] = path;
  if (rest.length === 0) {
    tree[head] = value;
    return;
  }
  const below = tree[head];
  const branch = typeof below === 'object' && below !== null ? (below as Tree) : {};
  tree[head] = branch;
  setAt(branch, rest, value);
}

/** Anyone on the machine can read a process's arguments, and shells keep them. */
function refusePassword(text: string, flag: string, side: 'source' | 'target'): void {
  if (parseConninfo(text).has('password')) throw passwordInFlag(flag, side);
}

const passwordInFlag = (flag: string, side: 'source' | 'target'): UsageError =>
  new UsageError(
    'password_in_flag',
    `${flag} holds a password, which every user of this machine could read`,
    {
      hint: `Use .pgpass, ${environmentName(`${side}.password`)}${side === 'source' ? ' or PGPASSWORD' : ''}, or passwordFrom in pgglide.yaml.`,
    },
  );

export function unknownKey(path: string, known: readonly string[], where: string): UsageError {
  const similar = nearest(path, known);
  return new UsageError('config_unknown_key', `${where}: unknown key "${path}"`, {
    hint: similar === undefined ? 'docs/config.md lists every key.' : `Did you mean "${similar}"?`,
    facts: { key: path },
  });
}
