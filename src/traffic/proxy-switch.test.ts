import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test, vi } from 'vitest';
import type { Hold } from '../proxy/control-types.ts';
import { openProxySwitch } from './proxy-switch.ts';

const CLUSTERS = { source: '1', target: '2' };

/** A proxy's control API that says whose it is, and takes note of what it is told to do. */
async function withProxy(
  migration: string,
  work: (address: string, told: readonly string[]) => Promise<void>,
  isSilent: (url: string | undefined) => boolean = () => false,
  holdsAtResume: readonly Hold[] = [],
): Promise<void> {
  const told: string[] = [];
  const stillHeld = [holdsAtResume];
  const server = http.createServer((request, response) => {
    if (request.method === 'POST') told.push(String(request.url));
    if (isSilent(request.url)) return;
    const identity = { migration, servers: { source: { cluster: '1' }, target: { cluster: '2' } } };
    const waits = { heldRequests: 0, failedRequests: 0, longestWaitMs: 0, sessionsMoved: 0 };
    const holds = request.url === '/v1/resume' ? stillHeld.pop() : [];
    const resumed = { holds, pauseMs: 0, waits: { ...waits, p50Ms: 0, p95Ms: 0, p99Ms: 0 } };
    response.end(JSON.stringify(request.url === '/v1/identity' ? identity : resumed));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, told);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

// As when a configuration was changed after a switch that broke off.
test('the proxy of another migration is not told to go on, our own is', async () => {
  const expected = { migration: 'shop', clusters: CLUSTERS };
  await withProxy('other', async (address, told) => {
    await using traffic = openProxySwitch([address], 'test', {}, expected);
    await expect(traffic.resume('target', 1)).rejects.toMatchObject({ code: 'proxy_elsewhere' });
    expect(told).toEqual([]);
  });
  await withProxy('shop', async (address, told) => {
    await using traffic = openProxySwitch([address], 'test', {}, expected);
    await traffic.resume('target', 1);
    expect(told).toEqual(['/v1/resume']);
  });
});

// A connection that a firewall has forgotten: the next one may get through, and would hold on what was to end.
test('a proxy that does not hear that it may go on is not told to wait any longer', async () => {
  await withProxy(
    'shop',
    async (address, told) => {
      await using traffic = openProxySwitch([address], 'test');
      await traffic.renew(3_000);
      const resumed = traffic.resume('target', 1).catch(() => undefined);
      await vi.waitFor(() => expect(told).toContain('/v1/resume'));
      await traffic.renew(3_000);
      expect(told).toEqual(['/v1/renew', '/v1/resume']);
      await traffic[Symbol.asyncDispose]();
      await resumed;
    },
    (url) => url === '/v1/resume',
  );
});

test('a lease of which less than a millisecond is left, or whose end the proxy has not noticed yet, is waited for', async () => {
  const isSilent = () => false;
  const work = async (address: string, told: readonly string[]) => {
    await using traffic = openProxySwitch([address], 'test');
    await traffic.resume('target', 1);
    expect(told).toEqual(['/v1/resume', '/v1/resume']);
  };
  await withProxy('shop', work, isSilent, [{ owner: 'killed', reason: 'cutover', leaseRemainingMs: 0 }]);
});

test('what answers and is no proxy is told as such', async () => {
  const server = http.createServer((_request, response) => response.end('<html>It works!</html>'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await using traffic = openProxySwitch([address], 'test');
  await expect(traffic.observe()).rejects.toMatchObject({
    code: 'proxy_unreachable',
    message: `Cannot reach the proxy at ${address}: what answers there is none`,
  });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
