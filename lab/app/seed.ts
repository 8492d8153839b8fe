/** Fills a database with the shop: about `rows` rows, the same ones every time, made by the server itself. */

import { readFileSync } from 'node:fs';
import type pg from 'pg';
import type { ServerAddress } from '../../src/index.ts';
import { connect } from './connect.ts';
import { type AppRole, createAppRole, grantToAppRole } from './role.ts';

export interface SeedOptions {
  /** In all tables together, give or take one percent. */
  readonly rows: number;
  /** The application's login role: made when missing, granted what it needs. */
  readonly appRole: AppRole;
}

export interface SeedSize {
  readonly customers: number;
  readonly products: number;
  readonly orders: number;
  readonly events: number;
  readonly carts: number;
  readonly sessions: number;
}

/** Order items, payments and invoices follow from the orders, addresses from the customers. */
function seedSize(rows: number): SeedSize {
  const share = (part: number, least: number) => Math.max(least, Math.round(rows * part));
  return {
    customers: share(0.08, 10),
    products: share(0.02, 20),
    orders: share(0.18, 18),
    events: share(0.15, 10),
    carts: share(0.02, 5),
    sessions: share(0.02, 5),
  };
}

/**
 * The address must be a superuser's, on an empty database: the seed skips triggers and foreign keys,
 * which its formulas satisfy. 1,000,000 rows take a few seconds.
 */
export async function seedDatabase(address: ServerAddress, options: SeedOptions): Promise<SeedSize> {
  const size = seedSize(options.rows);
  const sessions = await Promise.all([openSession(address), openSession(address)]);
  const [one, two] = sessions;
  try {
    await createAppRole(one, options.appRole);
    await one.query(sqlFile('schema.sql'));
    await Promise.all([insertOrders(one, size), insertTheRest(two, size)]);
    await one.query(sqlFile('indexes.sql'));
    await one.query(SEQUENCES);
    await grantToAppRole(one, options.appRole.name);
    // A database that has lived was vacuumed; an autovacuum of everything in mid-migration would be the seed's doing.
    await one.query('VACUUM (ANALYZE)');
    return size;
  } finally {
    await Promise.all(sessions.map((session) => session.end()));
  }
}

/** A build holds no SQL: it reads the sources'. */
const sqlFolder = new URL(import.meta.url.endsWith('.js') ? '../../../lab/app/' : './', import.meta.url);
const sqlFile = (name: string): string => readFileSync(new URL(name, sqlFolder), 'utf8');

async function openSession(address: ServerAddress): Promise<pg.Client> {
  const session = await connect(address, 'shop seed');
  await session.query(
    `SET session_replication_role = replica; SET synchronous_commit = off; SET TimeZone = 'UTC'`,
  );
  await session.query(FORMULAS);
  return session;
}

/** What depends on what, in one place: the same order always has the same lines, the same product the same price. */
const FORMULAS = `
  CREATE FUNCTION pg_temp.price_of(product bigint) RETURNS bigint IMMUTABLE LANGUAGE sql
    AS 'SELECT 100 + (product * 37) % 5000';
  CREATE FUNCTION pg_temp.product_of(ordered bigint, line bigint, products bigint) RETURNS bigint IMMUTABLE LANGUAGE sql
    AS 'SELECT 1 + (ordered * 31 + line * 7) % products';
  CREATE FUNCTION pg_temp.quantity_of(ordered bigint, line bigint) RETURNS bigint IMMUTABLE LANGUAGE sql
    AS 'SELECT 1 + (ordered + line) % 3';
  CREATE FUNCTION pg_temp.line_total(ordered bigint, line bigint, products bigint) RETURNS bigint IMMUTABLE LANGUAGE sql
    AS 'SELECT pg_temp.quantity_of(ordered, line) * pg_temp.price_of(pg_temp.product_of(ordered, line, products))';
  CREATE FUNCTION pg_temp.moment(number bigint, total bigint) RETURNS timestamptz IMMUTABLE LANGUAGE sql
    AS $$SELECT '2024-06-01 00:00:00+00'::timestamptz + number * (interval '800 days' / total::float8)$$;
`;

async function insertOrders(session: pg.Client, { orders, customers, products }: SeedSize): Promise<void> {
  await session.query(`
    INSERT INTO public.orders (id, customer_id, status, item_count, total, placed_at, updated_at)
    SELECT o, 1 + (o * 7919) % ${customers},
      (CASE WHEN o % 18 < 5 THEN 'paid' WHEN o % 18 = 5 THEN 'cancelled' WHEN o % 18 = 6 THEN 'placed' ELSE 'shipped' END)
        ::public.order_status,
      2, pg_temp.line_total(o, 1, ${products}) + pg_temp.line_total(o, 2, ${products}),
      pg_temp.moment(o, ${orders}), pg_temp.moment(o, ${orders})
    FROM generate_series(1, ${orders}::bigint) AS o`);
  await session.query(`
    INSERT INTO public.order_items (order_id, line_number, product_id, quantity, unit_price)
    SELECT o, line, product, pg_temp.quantity_of(o, line), pg_temp.price_of(product)
    FROM generate_series(1, ${orders}::bigint) AS o, generate_series(1, 2::bigint) AS line,
      LATERAL (SELECT pg_temp.product_of(o, line, ${products}) AS product) AS p`);
  await session.query(`
    INSERT INTO billing.payments (id, order_id, method, amount, paid_at)
    OVERRIDING SYSTEM VALUE
    SELECT 500 + 5 * (row_number() OVER (ORDER BY o)), o,
      (ARRAY['card', 'invoice', 'voucher'])[1 + o % 3]::billing.payment_method,
      (pg_temp.line_total(o, 1, ${products}) + pg_temp.line_total(o, 2, ${products})) / 100.0, pg_temp.moment(o, ${orders})
    FROM generate_series(1, ${orders}::bigint) AS o WHERE o % 18 < 5`);
  await session.query(`
    INSERT INTO billing.invoices (number, payment_id, due, issued_on)
    SELECT -1000 - row_number() OVER (ORDER BY id), id, make_interval(days => 14 + (id % 30)::integer), paid_at::date
    FROM billing.payments WHERE id % 25 <> 0`);
}

async function insertTheRest(session: pg.Client, size: SeedSize): Promise<void> {
  const { customers, products, events, carts, sessions } = size;
  await session.query(`
    INSERT INTO public.countries VALUES ('AT', 'Austria', 0.2), ('CH', 'Schweiz', 0.081), ('DE', 'Deutschland', 0.19),
      ('FR', 'France', 0.2), ('JP', '日本', 0.1);
    INSERT INTO public.categories (parent_id, name) VALUES (NULL, 'all'), (1, 'tools'), (1, 'books'), (2, 'hammers');
    INSERT INTO public.products (id, category_id, sku, name, price, size, labels, on_sale, thumbnail, initial_stock, stock)
    SELECT p, 1 + p % 4, format('SKU-%s', p),
      format('%s %s number %s', (ARRAY['red', 'green', 'blue', 'heavy', 'light'])[1 + p % 5],
        (ARRAY['hammer', 'lamp', 'table', 'novel', 'kettle', 'bicycle', 'chair'])[1 + p % 7], p),
      pg_temp.price_of(p), ROW(p % 300, p % 200, p % 100, p % 5000)::public.parcel,
      CASE WHEN p % 3 = 0 THEN ARRAY['new', 'it''s "quoted", and {braced}'] ELSE '{}' END,
      CASE WHEN p % 4 = 0 THEN daterange('2026-01-01', '2026-01-01'::date + (p % 90)::integer + 1) END,
      CASE WHEN p % 10 = 0 THEN decode(md5(p::text), 'hex') END, 1000000, 1000000
    FROM generate_series(1, ${products}::bigint) AS p`);
  await session.query(`
    INSERT INTO public.customers (id, email, name, profile, tags, primary_address_id, last_ip, created_at)
    OVERRIDING SYSTEM VALUE
    SELECT c, format('Customer.%s@Example.com', c), format('Customer %s', c),
      jsonb_build_object('language', (ARRAY['de', 'en', 'ja'])[1 + c % 3], 'points', c % 1000, 'notes', repeat('x', (c % 50)::integer)),
      CASE WHEN c % 2 = 0 THEN ARRAY['newsletter', NULL] ELSE '{}' END,
      CASE WHEN c % 5 <> 0 THEN c END, '10.0.0.0'::inet + c, pg_temp.moment(c, ${customers})
    FROM generate_series(1, ${customers}::bigint) AS c;
    INSERT INTO public.addresses (id, customer_id, street, city, country_code)
    SELECT c, c, format('%s Long Street', c), (ARRAY['Wien', 'Zürich', 'Köln', 'Lyon', '大阪'])[1 + c % 5],
      (ARRAY['AT', 'CH', 'DE', 'FR', 'JP'])[1 + c % 5]
    FROM generate_series(1, ${customers}::bigint) AS c`);
  await session.query(`
    INSERT INTO public.events (id, occurred_at, kind, payload)
    SELECT e, pg_temp.moment(e, ${events}), (ARRAY['page.viewed', 'basket.changed', 'search.run'])[1 + e % 3],
      jsonb_build_object('number', e, 'agent', repeat('agent ', (e % 8)::integer))
    FROM generate_series(1, ${events}::bigint) AS e;
    INSERT INTO public.carts (customer_id, contents, version, saved_at)
    SELECT c, jsonb_build_array(jsonb_build_object('product', 1 + c % ${products}, 'quantity', 1)), 0, pg_temp.moment(c, ${customers})
    FROM generate_series(1, ${Math.min(carts, customers)}::bigint) AS c;
    INSERT INTO public.sessions (token, customer_id, data, seen_at)
    SELECT md5(s::text)::uuid, 1 + s % ${customers}, CASE WHEN s % 2 = 0 THEN '{"theme": "dark"}'::jsonb END, pg_temp.moment(s, ${sessions})
    FROM generate_series(1, ${sessions}::bigint) AS s`);
}

/** As if the rows had come one by one. */
const SEQUENCES = `
  SELECT setval(pg_get_serial_sequence('public.products', 'id'), (SELECT max(id) FROM public.products)),
    setval(pg_get_serial_sequence('public.customers', 'id'), (SELECT max(id) FROM public.customers)),
    setval(pg_get_serial_sequence('public.addresses', 'id'), (SELECT max(id) FROM public.addresses)),
    setval(pg_get_serial_sequence('public.orders', 'id'), (SELECT max(id) FROM public.orders)),
    setval(pg_get_serial_sequence('billing.payments', 'id'), (SELECT max(id) FROM billing.payments)),
    setval('billing.invoice_numbers', (SELECT min(number) FROM billing.invoices)),
    setval('public.event_ids', (SELECT max(id) FROM public.events)),
    setval('public.ticket_numbers', 9998)`;
