import { describe, expect, test } from 'vitest';
import type { ServerAddress } from '../config/server-address.ts';
import type { Settings } from '../config/settings.ts';
import { openTraffic } from './open-traffic.ts';

const server = { host: 'h', port: 1, user: 'u', database: 'd' } as ServerAddress;
const open = (traffic: Partial<Settings['traffic']>) =>
  openTraffic(
    {
      migration: 'shop',
      source: server,
      target: server,
      traffic: {
        driver: 'proxy',
        proxies: ['unix:/nowhere/control'],
        tokenFile: undefined,
        caFile: undefined,
        pgbouncer: { bouncers: [], database: 'd' },
        hook: { program: undefined, timeoutMs: 1000 },
        ...traffic,
      },
    } as Settings,
    {
      others: [],
      clusters: { source: 's', target: 't' },
      forkKeeper: () => Promise.reject(new Error('Nothing is paused here')),
    },
  );

describe('each driver', () => {
  test('is the one that was named', async () => {
    const unreachable = { code: 'proxy_unreachable' };
    await expect(open({}).observe()).rejects.toMatchObject(unreachable);
    const hook = { program: '/nowhere/program', timeoutMs: 1000 };
    await expect(open({ driver: 'hook', hook }).observe()).rejects.toThrow('/nowhere/program observe');
    const bouncers = [{ console: { ...server, host: '/nowhere' }, configFile: '/nowhere.ini' }];
    const pgbouncer = { bouncers, database: 'd' };
    await expect(open({ driver: 'pgbouncer', pgbouncer }).observe()).rejects.toThrow(/PgBouncer's console/);
  });

  test.each(['pgbouncer', 'hook', 'none'] as const)('%s needs more than its name', (driver) => {
    expect(() => open({ driver })).toThrow(expect.objectContaining({ code: 'no_traffic_switch' }));
  });
});
