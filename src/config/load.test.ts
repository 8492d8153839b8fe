import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ConfigFlags } from './layers.ts';
import { loadSettings } from './load.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgglide-config-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const write = (name: string, text: string, mode = 0o600) => {
  writeFileSync(join(folder, name), text, { mode });
  chmodSync(join(folder, name), mode);
};
const warnings: string[] = [];
const load = (options: { flags?: ConfigFlags; env?: Record<string, string> } = {}) => {
  warnings.length = 0;
  return loadSettings({
    flags: options.flags ?? {},
    env: options.env ?? {},
    cwd: folder,
    home: folder,
    osUser: 'me',
    warn: (message) => warnings.push(message),
  });
};
const SERVERS = 'source: host=old dbname=shop\ntarget: postgresql://new/shop\n';

describe('several databases', () => {
  test('the lead is the one that the source names, if it is among them, else the first', async () => {
    write('pgglide.yaml', `${SERVERS}databases: [billing, shop]\n`);
    const both = { otherDatabases: ['billing'], source: { database: 'shop' }, target: { database: 'shop' } };
    expect(await load()).toMatchObject({ ...both, targetForSource: { database: 'shop' } });
    const env = { PGGLIDE_DATABASES: 'archive,billing' };
    expect(await load({ env })).toMatchObject({
      migration: 'archive',
      otherDatabases: ['billing'],
      source: { database: 'archive' },
      target: { database: 'archive' },
    });
  });

  test('one alone is as before, and all are found out later', async () => {
    write('pgglide.yaml', SERVERS);
    expect((await load()).otherDatabases).toEqual([]);
    expect((await load({ flags: { set: ['databases=[shop]'] } })).otherDatabases).toEqual([]);
    expect((await load({ env: { PGGLIDE_DATABASES: 'all' } })).otherDatabases).toBe('all');
  });

  test.each([
    ['[shop, billing, shop]', 'twice'],
    ['[]', 'databases'],
    ['some', 'expected a list of databases, or all'],
  ])('%s is refused', async (text, says) => {
    write('pgglide.yaml', `${SERVERS}databases: ${text}\n`);
    await expect(load()).rejects.toMatchObject({ code: 'config_bad_value', exitCode: 2 });
    await expect(load()).rejects.toThrow(says);
  });

  test('all of them need one lead of the same name on both sides', async () => {
    write('pgglide.yaml', 'source: host=old dbname=shop\ntarget: host=new dbname=other\ndatabases: all\n');
    await expect(load()).rejects.toMatchObject({ code: 'config_bad_value' });
  });
});

describe('three layers', () => {
  test('defaults', async () => {
    write('pgglide.yaml', SERVERS);
    expect(await load()).toMatchObject({
      migration: 'shop',
      source: { host: 'old', database: 'shop', port: 5432 },
      target: { host: 'new', database: 'shop' },
      scope: { schemas: undefined, exclude: [] },
      copy: { jobs: 4, indexJobs: 4, splitTablesLargerThanBytes: 2 * 1024 ** 3 },
      verify: { bits: 64, staleAfterMs: 86_400_000, settleMs: 2_000 },
      cutover: { pauseBudgetMs: 2000, requireVerified: true, prewarm: false },
      traffic: { driver: 'proxy', proxies: [`unix:${folder}/pgglide-proxy.sock`] },
      proxy: { listen: '127.0.0.1:6432', control: `unix:${folder}/pgglide-proxy.sock`, workers: 1 },
    });
  });

  test('what stands between application and servers', async () => {
    write(
      'pgglide.yaml',
      `${SERVERS}traffic:
  driver: pgbouncer
  pgbouncer: { consoles: ["host=bouncer port=6432 user=admin"], configFiles: [bouncer.ini] }
  hook: { program: ./switch.sh, timeout: 5s }
proxy:
  tokenFile: token
  tls: { cert: cert.pem, key: key.pem }
  immovable: wait
  limits: { maxClients: 20, startupTimeout: 2s }
`,
    );
    expect(await load({ env: { PGPASSWORD: 'of the source' } })).toMatchObject({
      traffic: {
        driver: 'pgbouncer',
        tokenFile: `${folder}/token`,
        pgbouncer: {
          bouncers: [
            {
              console: { host: 'bouncer', port: 6432, user: 'admin', database: 'pgbouncer' },
              configFile: `${folder}/bouncer.ini`,
            },
          ],
          database: 'shop',
        },
        hook: { program: `${folder}/switch.sh`, timeoutMs: 5000 },
      },
      proxy: {
        tls: { certFile: `${folder}/cert.pem`, keyFile: `${folder}/key.pem` },
        immovable: 'wait',
        limits: { maxClients: 20, startupTimeoutMs: 2000, connectTimeoutMs: 10_000 },
      },
    });
  });

  test('the password of the source does not go to a console', async () => {
    write(
      'pgglide.yaml',
      `${SERVERS}traffic: { pgbouncer: { consoles: [host=bouncer], configFiles: [bouncer.ini] } }\n`,
    );
    const { traffic } = await load({ env: { PGPASSWORD: 'of the source' } });
    expect(traffic.pgbouncer.bouncers[0]?.console.password).toBeUndefined();
    const flags = { set: ['traffic.pgbouncer.consoles=host=a password=b'] };
    await expect(load({ flags })).rejects.toMatchObject({ code: 'password_in_flag' });
  });

  test.each([
    ['traffic: { pgbouncer: { consoles: [host=bouncer] } }', 'config_bad_value'],
    ['proxy: { tls: { cert: cert.pem } }', 'config_bad_value'],
    ['proxy: { immovable: never }', 'config_bad_value'],
  ])('%s is refused', async (text, code) => {
    write('pgglide.yaml', `${SERVERS}${text}\n`);
    await expect(load()).rejects.toMatchObject({ code });
  });

  test('the environment goes over the file, flags over the environment', async () => {
    write('pgglide.yaml', `migration: file\n${SERVERS}copy: { jobs: 2, rateLimit: 1MB/s }\n`);
    const env = { PGGLIDE_MIGRATION: 'env', PGGLIDE_COPY_JOBS: '3', PGGLIDE_SOURCE: 'host=env dbname=a' };
    expect(await load({ env })).toMatchObject({
      migration: 'env',
      source: { host: 'env', database: 'a' },
      copy: { jobs: 3, rateLimitBytesPerSecond: 1024 ** 2 },
    });
    const flags = {
      migration: 'flag',
      source: 'host=flag dbname=b',
      set: ['copy.jobs=8', 'copy.indexJobs=1'],
    };
    expect(await load({ env, flags })).toMatchObject({
      migration: 'flag',
      source: { host: 'flag', database: 'b' },
      copy: { jobs: 8, indexJobs: 1 },
    });
  });

  test('lists come with commas or as YAML', async () => {
    write('pgglide.yaml', SERVERS);
    const env = { PGGLIDE_SCOPE_SCHEMAS: 'public, billing' };
    const flags = { set: ['scope.exclude=["a.b", c.d]', 'cutover.guard.verified=false'] };
    expect(await load({ env, flags })).toMatchObject({
      scope: { schemas: ['public', 'billing'], exclude: ['a.b', 'c.d'] },
      cutover: { requireVerified: false },
    });
  });

  test('PGGLIDE_CONFIG and --config name the file; paths in it start at its folder', async () => {
    write('other.yaml', `${SERVERS}proxy: { stateFile: ./state, control: "unix:p.sock" }\n`);
    const expected = {
      proxy: { stateFile: join(folder, 'state'), control: `unix:${folder}/p.sock` },
    };
    expect(await load({ env: { PGGLIDE_CONFIG: 'other.yaml' } })).toMatchObject(expected);
    expect(await load({ flags: { config: 'other.yaml' } })).toMatchObject(expected);
  });

  test('PG* variables alone describe a source, never the target', async () => {
    const env = { PGHOST: 'old', PGDATABASE: 'shop', PGPASSWORD: 'secret', PGGLIDE_TARGET: 'host=new' };
    const settings = await load({ env });
    expect(settings.source).toMatchObject({ host: 'old', database: 'shop', password: 'secret' });
    expect(settings.target).not.toHaveProperty('password');
    expect(settings.target).toMatchObject({ host: 'new', database: 'me' });
  });
});

describe('servers', () => {
  test('single keys override a connection string', async () => {
    write(
      'pgglide.yaml',
      'source: { uri: "postgresql://a/b", port: 5433, connectTimeout: 1500ms }\ntarget: host=t\n',
    );
    expect((await load()).source).toMatchObject({
      host: 'a',
      port: 5433,
      database: 'b',
      connectTimeoutMs: 2000,
    });
  });

  test('what another server sees overrides only what it names', async () => {
    write(
      'pgglide.yaml',
      'source: { conninfo: host=a port=1 user=u, password: p, seenByTarget: "host=internal port=2" }\ntarget: host=t\n',
    );
    const settings = await load();
    expect(settings.source).toMatchObject({ host: 'a', port: 1 });
    expect(settings.sourceForTarget).toMatchObject({ host: 'internal', port: 2, user: 'u', password: 'p' });
    expect(settings.targetForSource).toMatchObject({ host: 't' });
  });

  test.each([
    ['file', 'passwordFrom: { file: ./pw }'],
    ['env', 'passwordFrom: { env: SHOP_PASSWORD }'],
    ['command', 'passwordFrom: { command: "printf \'secret\\nmore\'" }'],
    ['the key itself', 'password: secret'],
  ])('a password from %s', async (_, key) => {
    write('pw', 'secret\n');
    write('pgglide.yaml', `source: host=a\ntarget:\n  host: t\n  ${key}\n`);
    expect((await load({ env: { SHOP_PASSWORD: 'secret' } })).target.password).toBe('secret');
    expect(warnings).toEqual([]);
  });

  test('a password file open to all is used with a warning', async () => {
    write('pw', 'secret\n', 0o644);
    write('pgglide.yaml', 'source: host=a\ntarget: { host: t, passwordFrom: { file: pw } }\n');
    expect((await load()).target.password).toBe('secret');
    expect(warnings).toEqual([expect.stringContaining('is open to every user')]);
  });

  test.each(['{ file: ./none }', '{ env: UNSET }', '{ command: "echo leaked; false" }'])(
    'no password from %s: an error that repeats nothing',
    async (from) => {
      write('pgglide.yaml', `source: host=a\ntarget: { host: t, passwordFrom: ${from} }\n`);
      const error = await load().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'password_unavailable', exitCode: 2 });
      expect(JSON.stringify(error) + String(error)).not.toContain('leaked\n');
      expect((error as Error).cause ?? {}).not.toHaveProperty('stdout');
    },
  );

  test('a flag takes no password along from the file, only the one in the environment', async () => {
    write('pgglide.yaml', 'source: { host: a, password: old }\ntarget: host=t\n');
    const flags = { source: 'host=b' };
    expect((await load({ flags })).source).not.toHaveProperty('password');
    expect((await load({ flags, env: { PGGLIDE_SOURCE_PASSWORD: 'env' } })).source.password).toBe('env');
  });
});

describe('bad input', () => {
  test.each([
    ['source: host=a\n', {}, 'target_missing', 'No target server'],
    ['target: host=a\n', {}, 'source_missing', 'No source server'],
    [`${SERVERS}coppy: { jobs: 2 }\n`, {}, 'config_unknown_key', 'pgglide.yaml:3: unknown key "coppy"'],
    [`${SERVERS}copy:\n  jbos: 2\n`, {}, 'config_unknown_key', 'pgglide.yaml:4: unknown key "copy.jbos"'],
    [
      `${SERVERS}copy: { jobs: many }\n`,
      {},
      'config_bad_value',
      'pgglide.yaml:3: copy.jobs: expected number',
    ],
    [`${SERVERS}cutover: { pauseBudget: 0s }\n`, {}, 'config_bad_value', 'expected more than no time'],
    [`${SERVERS}hooks: { timeout: 30d }\n`, {}, 'config_bad_value', 'expected at most 24d'],
    [`${SERVERS}migration: "a\\nb"\n`, {}, 'config_bad_value', 'without control characters'],
    [`${SERVERS}cutover: { pauseBudget: 5 }\n`, {}, 'config_bad_value', 'expected a duration such as 2s'],
    [
      `${SERVERS}traffic: { driver: haproxy }\n`,
      {},
      'config_bad_value',
      'expected proxy, kubernetes, pgbouncer, hook or none',
    ],
    [
      `source: host=old dbname=shop\ntarget: postgresql://new/shop\ntraffic: { kubernetes: { configMap: a, secret: b, urlKey: U, workloads: [deployment/x] } }\n`,
      {},
      'config_bad_value',
      'has both configMap and secret',
    ],
    [
      `source: host=old dbname=shop\ntarget: postgresql://new/shop\ntraffic: { kubernetes: { configMap: a, urlKey: U } }\n`,
      {},
      'config_bad_value',
      'names no workloads',
    ],
    [
      `source: host=old dbname=shop\ntarget: postgresql://new/shop\ntraffic: { kubernetes: { configMap: a, urlKey: U, hostKey: H, workloads: [deployment/x] } }\n`,
      {},
      'config_bad_value',
      'needs either urlKey, or hostKey',
    ],
    [
      `source: host=old dbname=shop\ntarget: postgresql://new/shop\ntraffic: { kubernetes: { configMap: a, urlKey: U, workloads: [job/x] } }\n`,
      {},
      'config_bad_value',
      'expected deployment/NAME',
    ],
    [
      'source: {uri: "postgresql://a", conninfo: host=b}\ntarget: host=c\n',
      {},
      'config_bad_value',
      'both uri and',
    ],
    ['source: [\n', {}, 'config_invalid', 'is not YAML'],
    ['source: *nobody\n', {}, 'config_invalid', 'is not YAML'],
    ['- a\n', {}, 'config_invalid', 'is not a mapping'],
    [SERVERS, { PGGLIDE_COPY_JOBS: 'x' }, 'config_bad_value', 'PGGLIDE_COPY_JOBS: copy.jobs'],
  ])('%j', async (text, env, code, message) => {
    write('pgglide.yaml', text);
    await expect(load({ env: env as Record<string, string> })).rejects.toMatchObject({
      code,
      exitCode: 2,
      message: expect.stringContaining(message),
    });
  });

  test('an unknown key names the nearest one', async () => {
    write('pgglide.yaml', `${SERVERS}copy: { jbos: 2 }\n`);
    await expect(load()).rejects.toMatchObject({ hint: 'Did you mean "copy.jobs"?' });
  });

  test('all faults are told at once', async () => {
    write('pgglide.yaml', `${SERVERS}copy: { jobs: x }\nverify: { bits: 3 }\n`);
    await expect(load()).rejects.toThrow(/copy\.jobs.*\n.*verify\.bits/);
  });

  test.each<ConfigFlags>([
    { source: 'postgresql://u:hunter2@h/db' },
    { target: 'host=h password=hunter2' },
    { source: 'postgresql://h/db?password=hunter2' },
    { set: ['source.password=hunter2'] },
    { set: ['target.uri=postgresql://u:hunter2@h/db'] },
    { set: ['traffic.kubernetes.source=host=h password=hunter2'] },
    { set: ['traffic.kubernetes.target=postgresql://u:hunter2@h/db'] },
  ])('a password in a flag is refused and not repeated: %j', async (flags) => {
    write('pgglide.yaml', SERVERS);
    const error = await load({ flags }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'password_in_flag',
      exitCode: 2,
      hint: expect.stringContaining('.pgpass'),
    });
    expect(String(error)).not.toContain('hunter2');
  });

  test.each([
    [{ config: 'none.yaml' }, 'config_not_found'],
    [{ set: ['copy.jbos=1'] }, 'config_unknown_key'],
    [{ set: ['jobs'] }, 'config_bad_value'],
    [{ set: ['scope.schemas=[a'] }, 'config_bad_value'],
  ])('%j', async (flags, code) => {
    await expect(load({ flags })).rejects.toMatchObject({ code, exitCode: 2 });
  });
});

test('hooks: the folder starts at the file, and variables with passwords are known', async () => {
  write('pgglide.yaml', `${SERVERS}hooks: { dir: ./hooks, timeout: 2min }\n`);
  expect((await load()).hooks).toEqual({ dir: join(folder, 'hooks'), timeoutMs: 120_000, withheld: [] });
  const target = 'target: { uri: postgresql://new/shop, passwordFrom: { env: SHOP_PW } }';
  write('pgglide.yaml', `source: host=old dbname=shop\n${target}\n`);
  expect((await load({ env: { SHOP_PW: 'secret' } })).hooks).toEqual({
    dir: undefined,
    timeoutMs: 60_000,
    withheld: ['SHOP_PW'],
  });
});
