import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openHookSwitch } from './hook-switch.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pgglide-hook-'));
});
afterEach(() => rm(folder, { recursive: true }));

const address = (host: string) =>
  ({
    host,
    port: 5432,
    user: 'u',
    password: 'hidden',
    database: 'shop',
    sslMode: 'prefer',
    connectTimeoutMs: 1,
  }) as const;

async function hook(body: string, timeoutMs?: number) {
  const program = join(folder, 'hook');
  await writeFile(program, `#!/bin/sh\ncd ${folder}\n${body}\n`);
  await chmod(program, 0o700);
  const servers = { source: address('old.db'), target: address('new.db') };
  return openHookSwitch({
    program,
    servers,
    others: ['billing'],
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
}

describe('a hook', () => {
  test('is told what to do and where', async () => {
    const traffic = await hook(
      `echo "$1 $PGGLIDE_SIDE $PGGLIDE_EPOCH $PGGLIDE_HOST $PGGLIDE_DATABASE $(echo "$PGGLIDE_DATABASES" | tail -1) $PGGLIDE_LEASE_MS $PGGLIDE_DRAIN_MS" >> log; env >> all`,
    );
    await traffic.prepare('target');
    expect(await traffic.pause({ reason: 'r', leaseMs: 5, drainTimeoutMs: 1 })).toEqual({
      drained: true,
      obstacles: [],
    });
    await traffic.renew(7);
    await traffic.committing('target', 3);
    const { waits } = await traffic.resume('target', 3);
    expect(waits.heldRequests).toBe(0);
    const lines = (await readFile(join(folder, 'log'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.replace(/ +/g, ' ').trim());
    expect(lines).toEqual([
      'prepare target new.db shop billing',
      'pause 5 1',
      'renew 7',
      'committing target 3 new.db shop billing',
      'resume target 3 new.db shop billing',
    ]);
    expect(await readFile(join(folder, 'all'), 'utf8')).not.toContain('hidden');
  });

  test('answers with JSON', async () => {
    const traffic = await hook(`case $1 in
      observe) echo '{"side": "target", "epoch": 4, "sessions": 9}' ;;
      resume) echo '{"heldRequests": 3, "longestWaitMs": 12.5}' ;;
    esac`);
    expect(await traffic.observe()).toMatchObject({
      activeSide: 'target',
      epoch: 4,
      paused: false,
      sessions: 9,
    });
    expect((await traffic.resume('target', 4)).waits).toMatchObject({
      heldRequests: 3,
      longestWaitMs: 12.5,
      p99Ms: 12.5,
    });
  });

  test('is not told to go back by a run that outlasted its lease and was overtaken', async () => {
    const traffic = await hook(`case $1 in
      observe) echo "{\\"side\\": \\"source\\", \\"epoch\\": $(cat epoch)}" ;;
      resume) echo "$PGGLIDE_SIDE" >> resumed ;;
    esac`);
    const standStill = { reason: 'r', leaseMs: 0, drainTimeoutMs: 1 };
    await writeFile(join(folder, 'epoch'), '0');
    await traffic.observe();
    await traffic.pause(standStill);
    await traffic.resume('source', 0);
    await traffic.observe();
    await traffic.pause(standStill);
    await writeFile(join(folder, 'epoch'), '1');
    await expect(traffic.resume('source', 0)).rejects.toMatchObject({ code: 'epoch_moved' });
    expect(await readFile(join(folder, 'resumed'), 'utf8')).toBe('source\n');
  });

  test('says by its exit code what went wrong', async () => {
    const pause = { reason: 'r', leaseMs: 5, drainTimeoutMs: 1 };
    expect((await (await hook('exit 3')).pause(pause)).drained).toBe(false);
    await expect((await hook('exit 4')).pause(pause)).rejects.toMatchObject({ code: 'proxy_unreachable' });
    await expect((await hook('exit 1')).resume('source', 1)).rejects.toMatchObject({ code: 'hook_failed' });
    await expect((await hook('exec sleep 20', 50)).renew(5)).rejects.toThrow('took longer than 50 ms');
    await expect((await hook('echo nonsense')).observe()).rejects.toMatchObject({
      code: 'hook_answer_invalid',
    });
    const missing = openHookSwitch({
      program: join(folder, 'missing'),
      servers: { source: address('a'), target: address('b') },
    });
    await expect(missing.observe()).rejects.toMatchObject({ code: 'proxy_unreachable' });
  });
});
