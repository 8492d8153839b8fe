/** What the requests of one run left in a database, counted by the database itself. */

import type { ServerAddress } from '../../src/index.ts';
import { connect } from '../app/connect.ts';
import type { RequestKind } from './workload.ts';

/** How many rows of each kind carry one request's id. */
export interface Trace {
  readonly requestId: string;
  readonly log: number;
  readonly orders: number;
  /** Order lines, less those that the order says it has: 0 when complete. */
  readonly surplusItems: number;
  readonly payments: number;
  readonly invoices: number;
  readonly events: number;
  readonly sessions: number;
}

type Counts = Omit<Trace, 'requestId'>;

const NOTHING: Counts = {
  log: 0,
  orders: 0,
  surplusItems: 0,
  payments: 0,
  invoices: 0,
  events: 0,
  sessions: 0,
};

/** What one write leaves when it happened exactly once. */
export const EXPECTED: Readonly<Partial<Record<RequestKind, Counts>>> = {
  'place-order': { ...NOTHING, log: 1, orders: 1, events: 1 },
  'pay-order': { ...NOTHING, log: 1, payments: 1, invoices: 1, events: 1 },
  'cancel-order': { ...NOTHING, log: 1, events: 1 },
  'append-event': { ...NOTHING, log: 1, events: 1 },
  'update-customer': { ...NOTHING, log: 1 },
  'save-cart': { ...NOTHING, log: 1, sessions: 1 },
};

export interface Traces {
  readonly byRequest: ReadonlyMap<string, Trace>;
  /** What all writes together must add up to, and does not; in words. */
  readonly inconsistencies: readonly string[];
}

/** All from one snapshot. */
export async function readTraces(address: ServerAddress, run: string): Promise<Traces> {
  const session = await connect(address, 'shop audit');
  try {
    await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const traces = await session.query<Trace>(TRACES, [`${run}.`]);
    const inconsistencies = await session.query<{ what: string }>(INCONSISTENCIES);
    await session.query('COMMIT');
    return {
      byRequest: new Map(traces.rows.map((trace) => [trace.requestId, trace])),
      inconsistencies: inconsistencies.rows.map(({ what }) => what),
    };
  } finally {
    await session.end();
  }
}

const TRACES = `
  SELECT request_id AS "requestId", sum(log)::integer AS log, sum(orders)::integer AS orders,
    sum(surplus_items)::integer AS "surplusItems", sum(payments)::integer AS payments,
    sum(invoices)::integer AS invoices, sum(events)::integer AS events, sum(sessions)::integer AS sessions
  FROM (
    SELECT request_id, 1 AS log, 0 AS orders, 0 AS surplus_items, 0 AS payments, 0 AS invoices, 0 AS events,
      (SELECT count(*) FROM public.sessions s WHERE l.kind = 'save-cart' AND s.token = md5(l.request_id)::uuid) AS sessions
    FROM public.request_log l
    UNION ALL
    SELECT request_id, 0, 1, (SELECT count(*) FROM public.order_items i WHERE i.order_id = o.id) - item_count, 0, 0, 0, 0
    FROM public.orders o
    UNION ALL
    SELECT request_id, 0, 0, 0, 1, coalesce(i.invoices, 0), 0, 0
    FROM billing.payments p LEFT JOIN (
      SELECT payment_id, count(*) AS invoices FROM billing.invoices GROUP BY payment_id) i ON i.payment_id = p.id
    WHERE request_id IS NOT NULL
    UNION ALL
    SELECT request_id, 0, 0, 0, 0, 0, 1, 0 FROM public.events
  ) AS rows
  WHERE starts_with(request_id, $1)
  GROUP BY request_id`;

/** Updates leave no row of their own: they are counted by what they change, over all runs since the seed. */
const INCONSISTENCIES = `
  SELECT format('product %s: stock is %s, should be %s', p.id, p.stock, p.initial_stock - coalesce(t.taken, 0)) AS what
  FROM public.products p LEFT JOIN (
    SELECT i.product_id, sum(i.quantity) AS taken
    FROM public.orders o JOIN public.order_items i ON i.order_id = o.id
    WHERE o.request_id IS NOT NULL AND o.status <> 'cancelled' GROUP BY i.product_id) t ON t.product_id = p.id
  WHERE p.stock <> p.initial_stock - coalesce(t.taken, 0)
  UNION ALL
  SELECT format('customer %s: updated %s times, %s logged', c.id, c.version, coalesce(l.times, 0))
  FROM public.customers c LEFT JOIN (
    SELECT subject_id, count(*) AS times FROM public.request_log WHERE kind = 'update-customer' GROUP BY subject_id
  ) l ON l.subject_id = c.id
  WHERE c.version <> coalesce(l.times, 0)
  UNION ALL
  SELECT format('cart of customer %s: saved %s times, %s logged', coalesce(c.customer_id, l.subject_id),
    coalesce(c.version, 0), coalesce(l.times, 0))
  FROM public.carts c FULL JOIN (
    SELECT subject_id, count(*) AS times FROM public.request_log WHERE kind = 'save-cart' GROUP BY subject_id
  ) l ON l.subject_id = c.customer_id
  WHERE coalesce(c.version, 0) <> coalesce(l.times, 0)
  UNION ALL
  SELECT format('order %s: is %s, but %s', o.id, o.status, CASE WHEN p.id IS NULL THEN 'not paid' ELSE 'paid' END)
  FROM public.orders o LEFT JOIN billing.payments p ON p.order_id = o.id
  WHERE o.request_id IS NOT NULL AND (o.status = 'paid') <> (p.id IS NOT NULL)
  LIMIT 100`;
