/** The dashboard's addresses. Everything but the page and the probes asks for the token. */

import { Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import { pageMessages } from './event-stream.ts';
import { knowsToken } from './guard.ts';
import { dashboardMetrics } from './metrics.ts';
import { PAGE_HEADERS, readPageFiles } from './page-files.ts';
import { type PageSettings, pageState } from './page-state.ts';
import type { Watch } from './watch.ts';

export interface RouteOptions {
  readonly watch: Watch;
  readonly settings: PageSettings;
  /** Asked for each request: a file may have changed. */
  readonly token: () => string;
  /** Streams end with it. */
  readonly signal: AbortSignal;
}

export function dashboardRoutes({ watch, settings, token, signal }: RouteOptions): Hono {
  const app = new Hono();
  app.use(async (context, next) => {
    await next();
    // Looked at only now: until here there was another response.
    for (const [name, value] of Object.entries(PAGE_HEADERS)) context.res.headers.set(name, value);
  });
  app.get('/healthz', (context) => context.json({ ok: true }));
  // A page that cannot show the servers still says so: there is nothing to wait for.
  app.get('/readyz', (context) => context.json({ ok: true }));
  for (const { path, type, content } of readPageFiles()) {
    app.get(path, (context) => context.body(content, 200, { 'content-type': type }));
  }
  app.use(async (context, next) => {
    if (knowsToken(context.req.header('authorization'), token())) return next();
    context.header('www-authenticate', 'Bearer');
    return context.json({ code: 'token_refused', message: 'The token is missing or wrong' }, 401);
  });
  app.get('/api/state', async (context) => {
    const snapshot = await watch.latest();
    return context.json({ ...pageState(snapshot, settings, Date.now()), tables: snapshot.tables });
  });
  app.get('/metrics', async (context) => {
    const state = pageState(await watch.latest(), settings, Date.now());
    return context.text(dashboardMetrics(state), 200, { 'content-type': 'text/plain; version=0.0.4' });
  });
  app.get('/api/events', (context) => {
    const lastEventId = Number(context.req.header('last-event-id') ?? 0) || 0;
    return streamSSE(context, async (stream) => {
      const gone = new AbortController();
      stream.onAbort(() => gone.abort());
      const ended = AbortSignal.any([signal, gone.signal]);
      for await (const message of pageMessages({ watch, settings, lastEventId, signal: ended })) {
        await stream.writeSSE(message);
      }
    });
  });
  // Such as a token file that is gone: nobody gets in, and nothing is printed here.
  app.onError((_error, context) => context.json({ code: 'dashboard_failed', message: 'It failed' }, 500));
  app.notFound((context) => context.json({ code: 'unknown_route', message: 'There is nothing here' }, 404));
  return app;
}
