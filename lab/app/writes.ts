/**
 * What the shop can be told to do. Each write leaves one row with its request's id in request_log,
 * in its own transaction, so that an audit can tell done from lost from done twice.
 */

import type { Session, ShopDatabase, Statement } from './database.ts';

/** The request cannot be carried out: no such order, wrong status, out of stock. */
export class ConflictError extends Error {}

const LOG: Statement = {
  name: 'log-request',
  text: `INSERT INTO public.request_log (request_id, kind, subject_id) VALUES ($1, $2, $3)`,
};
const EVENT: Statement = {
  name: 'append-event',
  text: `INSERT INTO public.events (kind, payload, request_id) VALUES ($1, $2, $3)`,
};

export interface OrderLine {
  readonly product: number;
  readonly quantity: number;
}

/** Locks in the products' order, so that two orders of the same products wait for each other instead of deadlocking. */
const LOCK_PRODUCTS: Statement = {
  name: 'lock-products',
  text: `SELECT id, price::integer AS price FROM public.products WHERE id = ANY ($1::integer[]) ORDER BY id FOR NO KEY UPDATE`,
};
const TAKE_STOCK: Statement = {
  name: 'take-stock',
  text: `UPDATE public.products p SET stock = p.stock - t.quantity
    FROM unnest($1::integer[], $2::integer[]) AS t (product, quantity) WHERE p.id = t.product`,
};
const INSERT_ORDER: Statement = {
  name: 'insert-order',
  text: `INSERT INTO public.orders (customer_id, item_count, total, request_id) VALUES ($1, $2, $3, $4)
    RETURNING id::integer AS id`,
};
const INSERT_ITEMS: Statement = {
  name: 'insert-items',
  text: `INSERT INTO public.order_items (order_id, line_number, product_id, quantity, unit_price)
    SELECT $1, t.line, t.product, t.quantity, t.price
    FROM unnest($2::integer[], $3::integer[], $4::bigint[]) WITH ORDINALITY AS t (product, quantity, price, line)`,
};

/** Seven statements: log, lock, stock, order, items, event, and the transaction around them. */
export async function placeOrder(
  database: ShopDatabase,
  requestId: string,
  customerId: number,
  lines: readonly OrderLine[],
): Promise<{ orderId: number }> {
  const products = lines.map((line) => line.product);
  const quantities = lines.map((line) => line.quantity);
  return database.transaction(async (session) => {
    await session.run(LOG, [requestId, 'place-order', customerId]);
    const found = await session.run<{ id: number; price: number }>(LOCK_PRODUCTS, [products]);
    const priceOf = new Map(found.map(({ id, price }) => [id, price]));
    const prices = products.map((product) => known(priceOf.get(product), `No product ${product}`));
    await session.run(TAKE_STOCK, [products, quantities]);
    const total = prices.reduce((sum, price, index) => sum + price * (quantities[index] ?? 0), 0);
    const [order] = await session.run<{ id: number }>(INSERT_ORDER, [
      customerId,
      lines.length,
      total,
      requestId,
    ]);
    const orderId = known(order, 'The order was not inserted').id;
    await session.run(INSERT_ITEMS, [orderId, products, quantities, prices]);
    await session.run(EVENT, ['order.placed', { order: orderId }, requestId]);
    return { orderId };
  });
}

const SET_STATUS: Statement = {
  name: 'set-status',
  text: `UPDATE public.orders SET status = $2, updated_at = now() WHERE id = $1 AND status = 'placed'
    RETURNING total::integer AS total`,
};

async function setStatus(session: Session, orderId: number, status: string): Promise<{ total: number }> {
  const [order] = await session.run<{ total: number }>(SET_STATUS, [orderId, status]);
  return known(order, `Order ${orderId} is not open`);
}

const INSERT_PAYMENT: Statement = {
  name: 'insert-payment',
  text: `WITH payment AS (
      INSERT INTO billing.payments (order_id, method, amount, request_id) VALUES ($1, $2, $3::bigint / 100.0, $4) RETURNING id)
    INSERT INTO billing.invoices (payment_id) SELECT id FROM payment RETURNING number::text AS number`,
};

export async function payOrder(
  database: ShopDatabase,
  requestId: string,
  orderId: number,
  method: string,
): Promise<{ invoice: string }> {
  return database.transaction(async (session) => {
    await session.run(LOG, [requestId, 'pay-order', orderId]);
    const { total } = await setStatus(session, orderId, 'paid');
    const [invoice] = await session.run<{ number: string }>(INSERT_PAYMENT, [
      orderId,
      method,
      total,
      requestId,
    ]);
    await session.run(EVENT, ['order.paid', { order: orderId }, requestId]);
    return { invoice: known(invoice, 'No invoice was written').number };
  });
}

const GIVE_STOCK_BACK: Statement = {
  name: 'give-stock-back',
  text: `UPDATE public.products p SET stock = p.stock + i.quantity
    FROM (SELECT product_id, sum(quantity)::integer AS quantity FROM public.order_items WHERE order_id = $1 GROUP BY product_id) i
    WHERE p.id = i.product_id`,
};
const LOCK_PRODUCTS_OF: Statement = {
  name: 'lock-products-of',
  text: `SELECT id FROM public.products WHERE id IN (SELECT product_id FROM public.order_items WHERE order_id = $1)
    ORDER BY id FOR NO KEY UPDATE`,
};

export async function cancelOrder(
  database: ShopDatabase,
  requestId: string,
  orderId: number,
): Promise<object> {
  return database.transaction(async (session) => {
    await session.run(LOG, [requestId, 'cancel-order', orderId]);
    await setStatus(session, orderId, 'cancelled');
    await session.run(LOCK_PRODUCTS_OF, [orderId]);
    await session.run(GIVE_STOCK_BACK, [orderId]);
    await session.run(EVENT, ['order.cancelled', { order: orderId }, requestId]);
    return {};
  });
}

const LOGGED_EVENT: Statement = {
  name: 'logged-event',
  text: `WITH logged AS (INSERT INTO public.request_log (request_id, kind) VALUES ($3, 'append-event'))
    INSERT INTO public.events (kind, payload, request_id) VALUES ($1, $2, $3)`,
};

/** One statement, no transaction block. */
export async function appendEvent(
  session: Session,
  requestId: string,
  kind: string,
  payload: object,
): Promise<object> {
  await session.run(LOGGED_EVENT, [kind, payload, requestId]);
  return {};
}

const UPDATE_CUSTOMER: Statement = {
  name: 'update-customer',
  text: `WITH logged AS (INSERT INTO public.request_log (request_id, kind, subject_id) VALUES ($3, 'update-customer', $1))
    UPDATE public.customers SET profile = profile || $2::jsonb, version = version + 1 WHERE id = $1 RETURNING version`,
};

/** One statement, no transaction block. */
export async function updateCustomer(
  session: Session,
  requestId: string,
  customerId: number,
  profile: object,
): Promise<object> {
  const [customer] = await session.run<object>(UPDATE_CUSTOMER, [customerId, profile, requestId]);
  return known(customer, `No customer ${customerId}`);
}

/** The table is partitioned by hash: the customer decides where the row goes. */
const SAVE_CART: Statement = {
  name: 'save-cart',
  text: `INSERT INTO public.carts (customer_id, contents) VALUES ($1, $2::jsonb)
    ON CONFLICT (customer_id) DO UPDATE SET contents = excluded.contents, version = carts.version + 1, saved_at = now()`,
};
/** The table has no primary key. */
const OPEN_SESSION: Statement = {
  name: 'open-session',
  text: `INSERT INTO public.sessions (token, customer_id, data) VALUES (md5($1)::uuid, $2, $3::jsonb)`,
};
const TOUCH_SESSION: Statement = {
  name: 'touch-session',
  text: `UPDATE public.sessions SET seen_at = now() WHERE token = md5($1)::uuid`,
};

export async function saveCart(
  database: ShopDatabase,
  requestId: string,
  customerId: number,
  contents: object,
): Promise<object> {
  return database.transaction(async (session) => {
    await session.run(LOG, [requestId, 'save-cart', customerId]);
    await session.run(SAVE_CART, [customerId, JSON.stringify(contents)]);
    await session.run(OPEN_SESSION, [requestId, customerId, {}]);
    await session.run(TOUCH_SESSION, [requestId]);
    return {};
  });
}

function known<T>(value: T | undefined, message: string): T {
  if (value === undefined) throw new ConflictError(message);
  return value;
}
