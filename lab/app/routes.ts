/** Which request means what. Writes carry their id in the header Idempotency-Key and JSON in the body. */

import type { ShopDatabase } from './database.ts';
import {
  readCatalog,
  readCustomerOrders,
  readDashboard,
  readOrder,
  readServer,
  searchProducts,
} from './reads.ts';
import {
  appendEvent,
  cancelOrder,
  type OrderLine,
  payOrder,
  placeOrder,
  saveCart,
  updateCustomer,
} from './writes.ts';

interface Request {
  readonly database: ShopDatabase;
  /** The id in the path; 0 where the route has none. */
  readonly id: number;
  readonly query: URLSearchParams;
  readonly requestId: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Undefined: not found. */
type Answer = Promise<object | undefined>;

interface Route {
  readonly method: string;
  readonly path: RegExp;
  readonly answer: (request: Request) => Answer;
}

const object = (value: unknown): object => (typeof value === 'object' && value !== null ? value : {});

const ROUTES: readonly Route[] = [
  get(/^\/healthz$/, async () => ({ ok: true })),
  get(/^\/db$/, ({ database }) => readServer(database)),
  get(/^\/catalog$/, ({ database }) => readCatalog(database)),
  get(/^\/dashboard$/, ({ database }) => readDashboard(database)),
  get(/^\/orders\/(\d+)$/, ({ database, id }) => readOrder(database, id)),
  get(/^\/customers\/(\d+)\/orders$/, ({ database, id }) => readCustomerOrders(database, id)),
  get(/^\/products$/, ({ database, query }) => searchProducts(database, query.get('search') ?? '')),
  write('POST', /^\/orders$/, ({ database, requestId, body }) =>
    placeOrder(database, requestId, Number(body.customer), body.lines as OrderLine[]),
  ),
  write('POST', /^\/orders\/(\d+)\/payment$/, ({ database, requestId, id, body }) =>
    payOrder(database, requestId, id, String(body.method)),
  ),
  write('POST', /^\/orders\/(\d+)\/cancellation$/, ({ database, requestId, id }) =>
    cancelOrder(database, requestId, id),
  ),
  write('POST', /^\/events$/, ({ database, requestId, body }) =>
    appendEvent(database, requestId, String(body.kind), object(body.payload)),
  ),
  write('PATCH', /^\/customers\/(\d+)$/, ({ database, requestId, id, body }) =>
    updateCustomer(database, requestId, id, object(body.profile)),
  ),
  write('PUT', /^\/carts\/(\d+)$/, ({ database, requestId, id, body }) =>
    saveCart(database, requestId, id, object(body.contents)),
  ),
];

function get(path: RegExp, answer: Route['answer']): Route {
  return { method: 'GET', path, answer };
}

function write(method: string, path: RegExp, answer: Route['answer']): Route {
  return { method, path, answer };
}

export interface Match {
  readonly isWrite: boolean;
  readonly id: number;
  readonly answer: Route['answer'];
}

export function findRoute(method: string, path: string): Match | undefined {
  for (const route of ROUTES) {
    if (route.method !== method) continue;
    const match = route.path.exec(path);
    if (match !== null) return { isWrite: method !== 'GET', id: Number(match[1] ?? 0), answer: route.answer };
  }
  return undefined;
}
