/** What the shop can be asked. */

import type { Session, Statement } from './database.ts';

const ORDER: Statement = {
  name: 'order',
  text: `SELECT o.id, o.customer_id, o.status, o.total, o.placed_at,
      (SELECT json_agg(json_build_object('product', i.product_id, 'quantity', i.quantity, 'total', i.line_total) ORDER BY i.line_number)
       FROM public.order_items i WHERE i.order_id = o.id) AS items
    FROM public.orders o WHERE o.id = $1`,
};

export async function readOrder(session: Session, orderId: number): Promise<object | undefined> {
  const [order] = await session.run(ORDER, [orderId]);
  return order;
}

const CUSTOMER_ORDERS: Statement = {
  name: 'customer-orders',
  text: `SELECT id, status, total, placed_at FROM public.orders WHERE customer_id = $1 ORDER BY id DESC LIMIT 10`,
};

export const readCustomerOrders = (session: Session, customerId: number): Promise<object[]> =>
  session.run(CUSTOMER_ORDERS, [customerId]);

const PRODUCTS: Statement = {
  name: 'products',
  text: `SELECT id, sku, name, price, stock FROM public.products WHERE words @@ plainto_tsquery('simple', $1) LIMIT 10`,
};

export const searchProducts = (session: Session, words: string): Promise<object[]> =>
  session.run(PRODUCTS, [words]);

/** The newest orders by status beside the month's sales: cheap enough to be asked all the time. */
const DASHBOARD: Statement = {
  name: 'dashboard',
  text: `SELECT
      (SELECT json_object_agg(status, count) FROM (
        SELECT status, count(*) FROM (SELECT status FROM public.orders ORDER BY id DESC LIMIT 200) newest GROUP BY status) s
      ) AS newest_orders,
      (SELECT json_agg(s) FROM (
        SELECT day, status, orders, total FROM public.daily_sales ORDER BY day DESC, status LIMIT 10) s) AS sales`,
};

export async function readDashboard(session: Session): Promise<object | undefined> {
  const [dashboard] = await session.run(DASHBOARD, []);
  return dashboard;
}

/** How far ids go: what a client may ask for. */
export interface Catalog {
  readonly customers: number;
  readonly products: number;
  readonly orders: number;
}

const CATALOG: Statement = {
  name: 'catalog',
  text: `SELECT (SELECT max(id) FROM public.customers)::integer AS customers,
    (SELECT max(id) FROM public.products)::integer AS products, (SELECT max(id) FROM public.orders)::integer AS orders`,
};

export async function readCatalog(session: Session): Promise<Catalog | undefined> {
  const [catalog] = await session.run<Catalog>(CATALOG, []);
  return catalog;
}

const SERVER: Statement = {
  name: 'server',
  text: `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::integer AS "versionNumber",
      current_database() AS database, current_user AS "user", pg_is_in_recovery() AS "inRecovery"`,
};
/** Apart from the rest: a cautious administrator may have revoked it. */
const IDENTITY: Statement = {
  name: 'identity',
  text: `SELECT system_identifier::text AS "systemIdentifier" FROM pg_control_system()`,
};

/** Which server answers. The system identifier tells clusters apart whatever their names; undefined where it is forbidden. */
export async function readServer(session: Session): Promise<object> {
  const [server] = await session.run(SERVER, []);
  const [identity] = await session.run(IDENTITY, []).catch(() => []);
  return { ...server, ...identity };
}
