/** An order through the application's front door: which server took it, and whether it came to the other. */

import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ServerAddress } from '../../../src/index.ts';
import { rowsOf, withSession } from '../session.ts';

export interface Probe {
  readonly requestId: string;
  /** HTTP status; 0: no answer. */
  readonly status: number;
  /** How a side has it: by the application's own commit, by replication, or not. */
  readonly onTarget: Presence;
  readonly onSource: Presence;
  /** From the application's answer until it was seen on the source. */
  readonly sourceAfterMs: number | undefined;
}

export type Presence = 'committed here' | 'replicated' | 'absent' | 'unknown';

const PREFIX = 'grade-';
const ARRIVAL_TIMEOUT_MS = 10_000;
/** Where nothing is to be seen that would bring it. */
const FORLORN_TIMEOUT_MS = 2_000;

export interface ProbedSides {
  readonly appUrl: string;
  readonly source: ServerAddress;
  readonly target: ServerAddress | undefined;
}

/** The order is gone again when this resolves, from both sides. */
export async function probeWithOrder({ appUrl, source, target }: ProbedSides): Promise<Probe> {
  const requestId = `${PREFIX}${randomBytes(8).toString('hex')}`;
  const status = await placeOrder(appUrl, requestId);
  const answered = performance.now();
  try {
    const onTarget = target === undefined ? 'absent' : await presence(target, requestId);
    const isSwitched = onTarget === 'committed here';
    const onSource = isSwitched ? await arrival(source, requestId) : await presence(source, requestId);
    const hasArrived = isSwitched && onSource === 'replicated';
    const sourceAfterMs = hasArrived ? performance.now() - answered : undefined;
    return { requestId, status, onTarget, onSource, sourceAfterMs };
  } finally {
    await removeProbes(source, target);
  }
}

async function placeOrder(appUrl: string, requestId: string): Promise<number> {
  try {
    const response = await fetch(new URL('/orders', appUrl), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': requestId },
      body: JSON.stringify({ customer: 1, lines: [{ product: 1, quantity: 1 }] }),
      signal: AbortSignal.timeout(10_000),
    });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}

/**
 * What an apply worker commits carries its origin; what a client commits carries none. The target's and the source's
 * track_commit_timestamp are on.
 * @see https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-COMMIT-TIMESTAMP
 */
const ORIGIN = `SELECT (pg_xact_commit_timestamp_origin(xmin)).roident::integer AS origin
  FROM public.request_log WHERE request_id = $1`;

/** How the server came to a request of the shop's. */
export async function presence(address: ServerAddress, requestId: string): Promise<Presence> {
  try {
    const [row] = await withSession(address, (session) =>
      rowsOf<{ origin: number | null }>(session, ORIGIN, [requestId]),
    );
    if (row === undefined) return 'absent';
    if (row.origin === null) return 'unknown';
    return row.origin === 0 ? 'committed here' : 'replicated';
  } catch {
    return 'unknown';
  }
}

async function arrival(address: ServerAddress, requestId: string): Promise<Presence> {
  const isFollowing = await follows(address);
  const deadline = performance.now() + (isFollowing ? ARRIVAL_TIMEOUT_MS : FORLORN_TIMEOUT_MS);
  for (;;) {
    const found = await presence(address, requestId);
    if (found === 'replicated' || found === 'committed here' || performance.now() > deadline) return found;
    await delay(100);
  }
}

const follows = (address: ServerAddress): Promise<boolean> =>
  withSession(address, (session) =>
    rowsOf(session, 'SELECT FROM pg_subscription WHERE subenabled LIMIT 1'),
  ).then(
    (rows) => rows.length > 0,
    () => false,
  );

const REMOVE = `
  UPDATE public.products p SET stock = p.stock + taken.quantity FROM (
    SELECT i.product_id, sum(i.quantity)::integer AS quantity
    FROM public.orders o JOIN public.order_items i ON i.order_id = o.id
    WHERE starts_with(o.request_id, '${PREFIX}') GROUP BY i.product_id) taken
  WHERE p.id = taken.product_id;
  DELETE FROM public.events WHERE starts_with(request_id, '${PREFIX}');
  DELETE FROM public.order_items i USING public.orders o
    WHERE o.id = i.order_id AND starts_with(o.request_id, '${PREFIX}');
  DELETE FROM public.orders WHERE starts_with(request_id, '${PREFIX}');
  DELETE FROM public.request_log WHERE starts_with(request_id, '${PREFIX}')`;

/** Where a probe was committed it is removed like any row, and replication takes that to the other side. */
async function removeProbes(source: ServerAddress, target: ServerAddress | undefined): Promise<void> {
  for (const address of target === undefined ? [source] : [source, target]) {
    if (await hasOwnProbes(address)) await withSession(address, (session) => session.query(REMOVE));
  }
}

async function hasOwnProbes(address: ServerAddress): Promise<boolean> {
  const own = `SELECT FROM public.request_log WHERE starts_with(request_id, '${PREFIX}')
    AND (pg_xact_commit_timestamp_origin(xmin)).roident = 0`;
  return withSession(address, (session) => rowsOf(session, own)).then(
    (rows) => rows.length > 0,
    () => false, // no such table there, or no server
  );
}
