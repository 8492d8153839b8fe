import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { readLedger } from './ledger.ts';
import { startLoad } from './load.ts';

/** An application that stands still until it is told to answer. */
async function stallingApp(): Promise<{ url: string; waiting: ServerResponse[]; release: () => void }> {
  const waiting: ServerResponse[] = [];
  let released = false;
  const answer = (response: ServerResponse, text: string) =>
    response.writeHead(200, { 'content-length': text.length }).end(text);
  const server = createServer((request, response) => {
    request.resume();
    if (request.url === '/catalog') answer(response, '{"customers":10,"products":10,"orders":10}');
    else if (released) answer(response, '{"orderId":1}');
    else waiting.push(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const release = () => {
    released = true;
    for (const response of waiting) answer(response, '{"orderId":1}');
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, waiting, release };
}

function ledgerPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pgglide-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, 'ledger.jsonl');
}

test('a stall stops no request, and every request that met it tells', async () => {
  const app = await stallingApp();
  const path = ledgerPath();
  const load = await startLoad({ url: app.url, rate: 200, ledgerPath: path, seed: 'stall', warmupMs: 50 });
  await vi.waitFor(() => expect(app.waiting.length).toBeGreaterThan(40), { timeout: 10_000, interval: 5 });
  expect(load.stats()).toMatchObject({ done: 0, failed: 0 });
  expect(load.stats().outstanding).toBeGreaterThan(40);
  app.release();
  // Whoever asks again waits, too.
  const [stats, again] = await Promise.all([load.stop(), load.stop()]);
  expect(again).toEqual(stats);
  expect(stats).toMatchObject({ failed: 0, outstanding: 0, sent: stats.done });

  const ledger = await readLedger(path, 'stall');
  expect(ledger).toMatchObject({ closed: true, broken: undefined, sent: stats.sent });
  const numbers = ledger.outcomes.map(({ n }) => n).sort((a, b) => a - b);
  expect(numbers).toEqual(Array.from({ length: stats.sent }, (_, n) => n));
  expect(ledger.outcomes.every(({ n, atMs }) => atMs === n * 5)).toBe(true);
  expect(
    ledger.outcomes
      .filter(({ warmup }) => warmup)
      .map(({ n }) => n)
      .sort((a, b) => a - b),
  ).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  // The first request waited for the whole stall: about 40 periods of 5 ms from its own scheduled time on.
  const first = ledger.outcomes.find(({ n }) => n === 0);
  expect(first?.latencyMs).toBeGreaterThan(195);
  expect(load.percentiles(0, Number.POSITIVE_INFINITY).requests).toBe(stats.sent);
});

test('no answer is a failure in the ledger, and is not repeated', async () => {
  const app = await stallingApp();
  const path = ledgerPath();
  const load = await startLoad({
    url: app.url,
    rate: 200,
    ledgerPath: path,
    seed: 'silence',
    requestTimeoutMs: 20,
  });
  await vi.waitFor(() => expect(load.stats().failed).toBeGreaterThan(5), { timeout: 10_000, interval: 5 });
  const { sent, failed } = await load.stop();
  expect(failed).toBe(sent);
  const ledger = await readLedger(path, 'silence');
  expect(ledger.outcomes.every(({ status, error }) => status === 0 && error === 'timeout')).toBe(true);
  expect(app.waiting.length).toBeLessThanOrEqual(sent);
});
