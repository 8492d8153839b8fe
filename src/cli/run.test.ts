import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { packagePath } from '../base/package-root.ts';
import { interrupted } from './failure.ts';
import { runCli } from './run.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgglide-cli-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** A world of its own: nothing of this process's environment, home or streams. */
async function pgglide(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  stop = new AbortController(),
) {
  const written = { stdout: '', stderr: '' };
  const stream = (name: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      written[name] += text;
      return true;
    },
  });
  const world = { env: { HOME: folder, ...env }, cwd: folder, stop };
  const exit = await runCli(args, { ...world, stdout: stream('stdout'), stderr: stream('stderr') });
  return { exit, ...written };
}

const SERVERS = ['--source', 'host=/nowhere dbname=a', '--target', 'host=/nowhere dbname=b'];

describe('bad input', () => {
  test.each([
    [['check', '--strcit'], 2, 'error unknown_flag: ', 'Did you mean --strict?'],
    [['chekc'], 2, 'error unknown_command: ', 'Did you mean check?'],
    [['explain'], 2, 'error bad_usage: ', '--help'],
    [['check', 'this'], 2, 'error bad_usage: ', '--help'],
    [['check', '-o', 'xml'], 2, 'error bad_usage: ', '--help'],
    [['check', '-o', 'html'], 2, 'error bad_usage: check has no result as HTML', 'pgglide report -o html'],
    [['wait', '--for=never', ...SERVERS], 2, 'error bad_usage: ', 'phase is one of'],
    [['check'], 2, 'error source_missing: ', 'pgglide init'],
    [['check', '--source', 'host=a'], 2, 'error target_missing: ', '--target'],
    [['check', '-f', 'none.yaml'], 2, 'error config_not_found: ', 'pgglide init'],
    [['check', '--set', 'copy.jbos=2', ...SERVERS], 2, 'error config_unknown_key: ', '"copy.jobs"'],
    [['sync', '--jobs', 'many', ...SERVERS], 2, '--set copy.jobs: copy.jobs: expected number', 'config.md'],
    [['abort', '--timeout', 'soon', ...SERVERS], 2, 'error bad_usage: ', '30s'],
    [['status', '-w', '5', ...SERVERS], 2, 'error bad_usage: ', '30s'],
    [['abort', '--timeout', '30d', ...SERVERS], 2, 'error bad_usage: ', 'at most 24d'],
    [['status', ...SERVERS], 4, 'error server_unreachable: ', 'Check host'],
    [['complete', ...SERVERS], 4, 'error server_unreachable: ', 'Check host'],
  ])('%j', async (args, exit, error, hint) => {
    const result = await pgglide(args);
    expect(result).toMatchObject({ exit, stdout: '' });
    expect(result.stderr).toContain(error);
    expect(result.stderr).toMatch(/\nhint: /);
    expect(result.stderr).toContain(hint);
    // No stack of ours, no colours in a pipe.
    expect(result.stderr).not.toMatch(/\n\s+at /);
    expect(result.stderr).not.toContain('\x1b');
  });

  test('an unknown key in the file: its line and the nearest key', async () => {
    writeFileSync(join(folder, 'pgglide.yaml'), 'source: host=a\ntarget: host=b\ncopy:\n  jbos: 3\n');
    const { exit, stderr } = await pgglide(['check']);
    expect(exit).toBe(2);
    expect(stderr).toContain('pgglide.yaml:4: unknown key "copy.jbos"');
    expect(stderr).toContain('Did you mean "copy.jobs"?');
  });

  test.each([
    [['check', '--source', 'postgresql://u:hunter2@h/db']],
    [['check', '--set', 'source.password=hunter2']],
    [['init', '--target', 'host=a password=hunter2']],
    [['check', '--password=hunter2']],
  ])('a password in a flag is refused and never repeated: %j', async (args) => {
    const { exit, stdout, stderr } = await pgglide(args);
    expect(exit).toBe(2);
    expect(stderr).toMatch(/error (password_in_flag|unknown_flag)/);
    expect(stdout + stderr).not.toContain('hunter2');
    expect(existsSync(join(folder, 'pgglide.yaml'))).toBe(false);
  });

  test('no command at all: the help, as an error', async () => {
    const { exit, stdout, stderr } = await pgglide([]);
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
    expect(stderr).toContain('Start here:');
  });

  test.each([
    [['status', '-o', 'json', ...SERVERS], 'server_unreachable', 4],
    [['status', ...SERVERS, '--format=jsonl'], 'server_unreachable', 4],
    [['nope', '-o', 'json'], 'unknown_command', 2],
  ])('as JSON where that was asked for: %j', async (args, code, exitCode) => {
    const { exit, stdout, stderr } = await pgglide(args);
    expect({ exit, stdout }).toEqual({ exit: exitCode, stdout: '' });
    expect(JSON.parse(stderr)).toMatchObject({ error: { code, exitCode } });
  });

  test('causes only with --verbose', async () => {
    expect((await pgglide(['status', ...SERVERS])).stderr).not.toContain('cause:');
    expect((await pgglide(['status', '-v', ...SERVERS])).stderr).toContain('cause: Error: connect ENOENT');
  });
});

test('told to stop before it began: exit code 10, nothing done', async () => {
  const stop = new AbortController();
  stop.abort(interrupted('SIGTERM'));
  const { exit, stderr } = await pgglide(['sync', ...SERVERS], {}, stop);
  expect(exit).toBe(10);
  expect(stderr).toContain('error interrupted: Stopped by SIGTERM');
});

describe('what needs no server', () => {
  test('help goes to stdout', async () => {
    const all = await pgglide(['--help']);
    expect(all).toMatchObject({ exit: 0, stderr: '' });
    expect(all.stdout).toContain('Migrate:');
    expect(all.stdout).toContain('--log-format');
    const one = await pgglide(['cutover', '--help']);
    expect(one).toMatchObject({ exit: 0, stderr: '' });
    expect(one.stdout).toContain('--dry-run');
  });

  test('version', async () => {
    const { version } = JSON.parse(readFileSync(packagePath('package.json'), 'utf8')) as { version: string };
    expect(await pgglide(['--version'])).toEqual({ exit: 0, stdout: `${version}\n`, stderr: '' });
    const { stdout } = await pgglide(['version', '-o', 'json']);
    expect(JSON.parse(stdout)).toMatchObject({ pgglide: version });
  });

  test('explain knows errors and findings', async () => {
    expect((await pgglide(['explain', 'password_in_flag'])).stdout).toContain('error, exit code 2');
    expect((await pgglide(['explain', 'pgg101'])).stdout).toContain('wal_level');
    expect((await pgglide(['explain', 'pasword_in_flag'])).stderr).toContain(
      'Did you mean password_in_flag?',
    );
  });

  test('init writes a file that works once both servers are named, and never overwrites', async () => {
    const args = ['init', '-m', 'shop: 15', '--source', 'host=a dbname=shop', '--target', 'host=b'];
    expect(await pgglide(args)).toMatchObject({ exit: 0, stderr: '' });
    const file = join(folder, 'pgglide.yaml');
    const text = readFileSync(file, 'utf8');
    expect(parseYaml(text)).toEqual({
      migration: 'shop: 15',
      source: 'host=a dbname=shop',
      target: 'host=b',
    });
    expect(await pgglide(['config'])).toMatchObject({ exit: 0 });
    const again = await pgglide(args);
    expect(again.exit).toBe(2);
    expect(again.stderr).toContain('error file_not_written');
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  test('every line that init comments out is a key that works', async () => {
    await pgglide(['init']);
    const file = join(folder, 'pgglide.yaml');
    // What has a value: uncommented. What has none, and remarks: left out.
    const [, ...sections] = readFileSync(file, 'utf8').split('\n\n');
    const keys = sections.join('\n').replace(/^# ((?: {2})*\w+:(?: \S.*)?)$/gm, '$1');
    writeFileSync(file, keys.replace(/^.*sslmode=verify-full$/gm, ''));
    const { exit, stderr, stdout } = await pgglide(['config', ...SERVERS, '-o', 'json']);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({
      migration: 'shop-15-to-16',
      scope: { schemas: ['public', 'billing'] },
      copy: { jobs: 4, rateLimitBytesPerSecond: 200 * 1024 ** 2 },
      cutover: { pauseBudgetMs: 2000 },
    });
  });

  test('config shows what all comes to, and no secret', async () => {
    const env = {
      PGHOST: 'old.example',
      PGDATABASE: 'shop',
      PGPASSWORD: 'hunter2',
      PGGLIDE_TARGET: 'postgresql://u:hunter2@new.example/shop',
      PGGLIDE_COPY_JOBS: '7',
      PGGLIDE_TRAFFIC_PROXIES: 'host=bouncer password=hunter2,http://u:hunter2@h:1',
    };
    const text = await pgglide(['config'], env);
    expect(text).toMatchObject({ exit: 0, stderr: '' });
    expect(text.stdout).not.toContain('hunter2');
    expect(parseYaml(text.stdout)).toMatchObject({
      migration: 'shop',
      source: { host: 'old.example', password: '***' },
      target: { host: 'new.example', password: '***' },
      copy: { jobs: 7 },
    });
    const json = await pgglide(['config', '-o', 'json'], env);
    expect(JSON.parse(json.stdout)).toEqual(parseYaml(text.stdout));
  });

  test('completion scripts name every command', async () => {
    for (const shell of ['bash', 'zsh']) {
      const { exit, stdout } = await pgglide(['completion', shell]);
      expect(exit).toBe(0);
      expect(stdout).toContain('rehearse');
      expect(stdout).toContain('--pause-budget');
    }
    expect(await pgglide(['completion', 'fish'])).toMatchObject({ exit: 2 });
  });
});

test('what every start loads is little', () => {
  const seen = new Set<string>();
  const packages = new Set<string>();
  const queue = [packagePath('src', 'cli', 'main.ts')];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    for (const [, isType, from = ''] of readFileSync(file, 'utf8').matchAll(
      /^(?:import|export)\s+(type\s)?(?:[^'"]*?\sfrom\s+)?'([^']+)';/gm,
    )) {
      if (isType) continue;
      if (from.startsWith('.')) queue.push(resolve(dirname(file), from));
      else packages.add(from);
    }
  }
  expect([...packages].filter((name) => !name.startsWith('node:'))).toEqual(['commander']);
});
