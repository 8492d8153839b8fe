/** The dashboard's server over a real migration: who gets in, what it tells, how often it looks. */

import { describe, expect } from 'vitest';
import { openDashboard, type TestDashboard } from '../support/dashboard.ts';
import type { Database } from '../support/database.ts';
import { createParser, type Message } from '../support/event-source.ts';
import { type Scene, withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const asReader = ({ token }: TestDashboard) => ({ authorization: `Bearer ${token}` });

/** Messages as they come, until `isEnough` has seen what it wants. */
async function read(
  dashboard: TestDashboard,
  isEnough: (messages: readonly Message[]) => boolean,
  headers: Readonly<Record<string, string>> = {},
): Promise<Message[]> {
  const gone = new AbortController();
  const response = await fetch(`${dashboard.url}api/events`, {
    headers: { ...asReader(dashboard), ...headers },
    signal: gone.signal,
  });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const parse = createParser();
  const decoder = new TextDecoder();
  const messages: Message[] = [];
  try {
    for await (const chunk of response.body ?? []) {
      messages.push(...parse(decoder.decode(chunk as Uint8Array, { stream: true })));
      if (isEnough(messages)) return messages;
    }
    return messages;
  } finally {
    gone.abort();
  }
}

const countOf = (messages: readonly Message[], event: string) =>
  messages.filter((message) => message.event === event).length;

async function synced(
  ends: { readonly source: Database; readonly target: Database },
  work: (scene: Scene, dashboard: TestDashboard) => Promise<void>,
): Promise<void> {
  await ends.source.exec(`CREATE TABLE public."<img src=x onerror=alert(1)>" (id int PRIMARY KEY);
    CREATE TABLE public.orders (id int PRIMARY KEY); INSERT INTO public.orders SELECT generate_series(1, 500)`);
  await withScene(ends, async (scene) => {
    await scene.sync();
    const dashboard = await openDashboard(scene);
    try {
      await work(scene, dashboard);
    } finally {
      await dashboard[Symbol.asyncDispose]();
      await scene.abort();
    }
  });
}

describe('the dashboard', () => {
  test('lets in who knows the token; the page and the probes are for all', async ({ source, target }) => {
    await withScene({ source, target }, async (scene) => {
      await using dashboard = await openDashboard(scene);
      const statusOf = async (path: string, headers = {}) =>
        (await fetch(dashboard.url + path, { headers })).status;
      for (const path of ['api/state', 'api/events', 'metrics', 'nothing']) {
        expect([path, await statusOf(path)]).toEqual([path, 401]);
        const wrong = { authorization: `Bearer ${dashboard.token}x` };
        expect([path, await statusOf(path, wrong)]).toEqual([path, 401]);
      }
      for (const path of ['', 'main.js', 'healthz', 'readyz']) expect(await statusOf(path)).toBe(200);
      expect(await statusOf('../package.json', asReader(dashboard))).toBe(404);
      expect(await statusOf('api/state', asReader(dashboard))).toBe(200);
      const page = await fetch(dashboard.url);
      expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self'/);
      expect(await page.text()).not.toContain(dashboard.token);
    });
  });

  test('tells state, tables and metrics', async ({ source, target }) => {
    await synced({ source, target }, async (_, dashboard) => {
      const answer = await fetch(`${dashboard.url}api/state`, { headers: asReader(dashboard) });
      expect(await answer.json()).toMatchObject({
        status: { phase: 'following', activeSide: 'source', link: { isStreaming: true } },
        stages: expect.arrayContaining([{ title: 'Follow', state: 'running' }]),
        tables: expect.arrayContaining([
          expect.objectContaining({ name: 'public.orders', rowCount: 500, fractionCopied: 1 }),
          expect.objectContaining({ name: 'public."<img src=x onerror=alert(1)>"' }),
        ]),
        now: { heldNow: 0 },
      });
      const metrics = await fetch(`${dashboard.url}metrics`, { headers: asReader(dashboard) });
      expect(await metrics.text()).toContain('pgglide_phase{phase="following"} 1\n');
    });
  });

  test('a late page gets every event once, in order, and goes on from the last that it had', async ({
    source,
    target,
  }) => {
    await synced({ source, target }, async (scene, dashboard) => {
      const journal = await scene.run((migration) => migration.events());
      const all = await read(dashboard, (messages) => countOf(messages, 'event') >= journal.length);
      const events = all.filter(({ event }) => event === 'event');
      expect(events.map(({ data }) => JSON.parse(data).event.type)).toEqual(journal.map(({ type }) => type));
      const last = events.at(-1)?.id ?? '';
      const later = read(dashboard, (messages) => countOf(messages, 'event') > 0, { 'last-event-id': last });
      await scene.verify();
      const fresh = (await later).filter(({ event }) => event === 'event');
      expect(fresh.every(({ id }) => Number(id) > Number(last))).toBe(true);
      expect(fresh.length).toBeGreaterThan(0);
    });
  });

  test('two pages cost the servers no more than one', async ({ source, target }) => {
    await synced({ source, target }, async (_, dashboard) => {
      expect(dashboard.looks()).toBe(0);
      const enough = (messages: readonly Message[]) => countOf(messages, 'state') >= 4;
      const [one, other] = await Promise.all([read(dashboard, enough), read(dashboard, enough)]);
      // The first state of each is what was known before: nothing.
      const most = Math.max(countOf(one, 'state'), countOf(other, 'state'));
      expect(dashboard.looks()).toBeLessThanOrEqual(most + 1);
    });
  });
});

test.for([
  { listen: '0.0.0.0:0', code: 'dashboard_open_to_others' },
  { listen: 'nowhere', code: 'bad_address' },
])('refused: $listen', async ({ listen, code }, { source, target }) => {
  await withScene({ source, target }, async (scene) => {
    await expect(openDashboard(scene, { listen })).rejects.toMatchObject({ code, exitCode: 2 });
  });
});
