import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { switchoverSummary } from '../../test/fixtures/switchover-summary.ts';
import { until } from '../base/async.ts';
import { InterruptedError } from '../domain/errors.ts';
import type { MigrationEvent } from '../domain/event.ts';
import { Hooks } from './hooks.ts';
import { failureMoment } from './moments.ts';

const at = '2026-11-22T06:02:11.000Z';
const FOLLOWING: MigrationEvent = { type: 'phase-changed', at, data: { from: 'syncing', to: 'following' } };
const SWITCHED: MigrationEvent = { type: 'switchover-finished', at, data: switchoverSummary() };

let folder: string;
let told: string[];
let warned: string[];
let stop: AbortController;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pgglide-hooks-'));
  [told, warned, stop] = [[], [], new AbortController()];
});
afterEach(() => rm(folder, { recursive: true }));

async function write(name: string, body: string, mode = 0o500): Promise<void> {
  const path = join(folder, name);
  await writeFile(path, `#!/bin/sh\ncd '${folder}'\n${body}\n`);
  await chmod(path, mode);
}

function hooks(options: Partial<ConstructorParameters<typeof Hooks>[0]> = {}): Hooks {
  const made = new Hooks({
    folder,
    timeoutMs: 60_000,
    env: process.env,
    withheld: [],
    migration: 'shop',
    servers: { source: 'old:5432/shop', target: 'new:5432/shop' },
    tell: (text) => void told.push(text),
    warn: (text) => void warned.push(text),
    signal: stop.signal,
    ...options,
  });
  made.knowSide('source');
  return made;
}

const isThere = (name: string) =>
  until(name, async () => readFile(join(folder, name), 'utf8').catch(() => undefined), { timeoutMs: 60_000 });

describe('what a hook is told', () => {
  test('facts on stdin, three variables, and no password', async () => {
    await write(
      'on-switched',
      'cat; env >environment; echo "$PGGLIDE_MIGRATION $PGGLIDE_EVENT $PGGLIDE_ACTIVE_SIDE"',
    );
    const secrets = { PGPASSWORD: 'pw1', PGGLIDE_TARGET: 'postgresql://u:pw2@h/d', SHOP_PW: 'pw3' };
    const env = { PATH: process.env.PATH, OTHER: 'kept', PGGLIDE_CONFIG: '/x.yaml', ...secrets };
    const running = hooks({ env, withheld: ['SHOP_PW'] });
    running.onEvent(SWITCHED);
    await running.finish();
    const [facts = '', names] = told.map((line) => line.replace(/^on-switched: /, ''));
    expect(JSON.parse(facts)).toMatchObject({
      event: 'on-switched',
      at,
      migration: 'shop',
      activeSide: 'target',
      source: 'old:5432/shop',
      target: 'new:5432/shop',
      switchover: { direction: 'cutover', pauseMs: 40, waits: { longestWaitMs: 2 } },
    });
    expect(names).toBe('shop on-switched target');
    const environment = await isThere('environment');
    expect(environment).toContain('OTHER=kept');
    expect(environment).toContain('PGGLIDE_CONFIG=/x.yaml');
    expect(environment).not.toMatch(/pw[123]/);
    expect(warned).toEqual([]);
  });

  test('no hook, no word; and a file that was put aside is none', async () => {
    await write('on-following.off', 'echo no');
    const running = hooks();
    running.onEvent(FOLLOWING);
    await running.finish();
    expect([...told, ...warned]).toEqual([]);
  });
});

test('a pgglide that a hook has called does not run that hook again, and leaves no guard out', async () => {
  for (const name of ['on-switched', 'on-following', 'before-cutover'])
    await write(name, 'echo "$PGGLIDE_WITHIN_HOOKS"');
  const env = { ...process.env, PGGLIDE_WITHIN_HOOKS: 'before-cutover,on-switched' };
  const running = hooks({ env });
  running.onEvent(SWITCHED);
  running.onEvent(FOLLOWING);
  await running.finish();
  await running.beforeSwitch('cutover', 'source');
  expect(told).toEqual([
    'on-following: before-cutover,on-switched,on-following',
    'before-cutover: before-cutover,on-switched,before-cutover',
  ]);
});

describe('when', () => {
  test('a switch is told at once, all else when the command has let its locks go, one at a time', async () => {
    await write('on-switched', 'while ! [ -e go ]; do sleep 0.01; done; echo switched');
    await write('on-following', 'echo following');
    const running = hooks();
    running.onEvent(FOLLOWING);
    running.onEvent(SWITCHED);
    await writeFile(join(folder, 'go'), '');
    await running.beforeSwitch('rollback', 'target');
    expect(told).toEqual(['on-switched: switched']);
    await running.finish();
    expect(told).toEqual(['on-switched: switched', 'on-following: following']);
    await running.finish();
    expect(told).toHaveLength(2);
  });

  test('before a cutover only, and not before a rollback or a rehearsal', async () => {
    await write('before-cutover', 'echo "$PGGLIDE_ACTIVE_SIDE"; exit 1');
    await hooks().beforeSwitch('rollback', 'target');
    await hooks().beforeSwitch('rehearsal', 'source');
    expect(told).toEqual([]);
    await write('before-cutover', 'echo "$PGGLIDE_ACTIVE_SIDE"');
    await hooks().beforeSwitch('cutover', 'source');
    expect(told).toEqual(['before-cutover: source']);
  });
});

describe('a hook that goes wrong', () => {
  test.each<[string, string, string]>([
    ['fails', 'echo sorry >&2; exit 3', 'ended with exit code 3: sorry'],
    ['is ended by a signal', 'kill -9 $$', 'was ended by SIGKILL'],
    [
      'never ends',
      'echo still here; exec sleep 600',
      'took longer than 700 ms (hooks.timeout) and was ended: still here',
    ],
    ['never ends and floods', 'exec yes', 'took longer than 700 ms (hooks.timeout) and was ended'],
    [
      'leaves its output to another',
      'sleep 600 & exit 0',
      'took longer than 700 ms (hooks.timeout) and was ended',
    ],
  ])('%s: a warning, or the cutover is refused', async (_, body, says) => {
    await write('on-following', body);
    await write('before-cutover', body);
    const running = hooks({ timeoutMs: 700 });
    running.onEvent(FOLLOWING);
    await running.finish();
    expect(warned).toHaveLength(1);
    expect(warned[0]).toContain(`hook on-following ${says}`);
    const refused = running.beforeSwitch('cutover', 'source');
    await expect(refused).rejects.toMatchObject({ code: 'hook_refused', exitCode: 7 });
    await expect(refused).rejects.toThrow(`Cutover refused: hook before-cutover ${says}`);
    expect(told.length).toBeLessThan(410);
  });

  test.each<[string, (name: string) => Promise<unknown>, string]>([
    ['is not executable', (name) => write(name, 'true', 0o444), 'NAME is not executable'],
    ['is a folder', (name) => mkdir(join(folder, name)), 'NAME is not a file'],
    ['has an ending', (name) => write(`${name}.sh`, 'true'), 'NAME.sh must be named NAME, without an ending'],
    ['has no folder', () => rm(folder, { recursive: true, force: true }), '(hooks.dir) does not exist'],
  ])('%s: a warning, or the cutover is refused', async (_, breakIt, says) => {
    for (const name of ['on-following', 'before-cutover']) await breakIt(name);
    const running = hooks();
    running.onEvent(FOLLOWING);
    await running.finish();
    expect(warned).toHaveLength(1);
    expect(warned[0]).toContain('hook on-following cannot be run: ');
    expect(warned[0]).toContain(says.replaceAll('NAME', 'on-following'));
    const refused = running.beforeSwitch('cutover', 'source');
    await expect(refused).rejects.toMatchObject({ code: 'hook_not_runnable', exitCode: 7 });
    await mkdir(folder, { recursive: true });
  });
});

describe('told to stop', () => {
  const reason = new InterruptedError('interrupted', 'Stopped by SIGINT');

  test('before a cutover: the hook is ended, and the cutover is not begun', async () => {
    await write('before-cutover', 'echo $$ >begun; exec sleep 600');
    const asked = hooks().beforeSwitch('cutover', 'source');
    await isThere('begun');
    stop.abort(reason);
    await expect(asked).rejects.toBe(reason);
  });

  test('afterwards: the hook is ended with a warning, none begins any more', async () => {
    await write('on-switched', 'echo $$ >begun; exec sleep 600');
    await write('on-following', 'echo no');
    const running = hooks();
    running.onEvent(SWITCHED);
    running.onEvent(FOLLOWING);
    await isThere('begun');
    stop.abort(reason);
    await running.finish();
    expect(warned).toEqual(['hook on-switched was ended: pgglide was told to stop']);
    expect(told).toEqual([]);
  });

  test('a failure is told all the same', async () => {
    await write('on-failure', 'cat');
    stop.abort(reason);
    await hooks().failed(failureMoment('cutover', 20, undefined, at), 'unknown');
    expect(told).toHaveLength(1);
    expect(told[0]).toContain('"activeSide":"unknown"');
  });
});
