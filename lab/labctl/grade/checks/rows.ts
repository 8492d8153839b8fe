/** Every row that must be there, and none that must not. */

import type { ServerAddress } from '../../../../src/index.ts';
import { auditSide } from '../../../load/audit.ts';
import { readTraces } from '../../../load/traces.ts';
import { rowsOf, withSession } from '../../session.ts';
import type { CheckDefinition } from '../types.ts';
import { targetOf } from '../world.ts';

interface SeededTable {
  readonly table: string;
  readonly key: string;
  /** Those that the application never changes. */
  readonly columns: string;
  /** Tells seeded rows from the application's. */
  readonly where?: string;
}

const OF_SEED = 'request_id IS NULL';

const SEEDED: readonly SeededTable[] = [
  { table: 'public.price_list', key: 'number', columns: 'number, label, price, valid' },
  { table: 'public.countries', key: 'code', columns: 'code, name, vat_rate' },
  { table: 'public.categories', key: 'id', columns: 'id, parent_id, name' },
  {
    table: 'public.customers',
    key: 'id',
    columns: 'id, email, name, tags, primary_address_id, last_ip, created_at',
  },
  { table: 'public.addresses', key: 'id', columns: 'id, customer_id, street, city, country_code' },
  {
    table: 'public.products',
    key: 'id',
    columns: 'id, category_id, sku, name, price, size, labels, on_sale, thumbnail, initial_stock, words',
  },
  {
    table: 'public.orders',
    key: 'id',
    columns: 'id, customer_id, status, item_count, total, placed_at, updated_at',
    where: OF_SEED,
  },
  {
    table: 'public.order_items',
    key: 'order_id',
    columns: 'order_id, line_number, product_id, quantity, unit_price, line_total',
    where: `order_id IN (SELECT id FROM public.orders WHERE ${OF_SEED})`,
  },
  {
    table: 'billing.payments',
    key: 'id',
    columns: 'id, order_id, method, amount, paid_at',
    where: OF_SEED,
  },
  {
    table: 'billing.invoices',
    key: 'number',
    columns: 'number, payment_id, due, issued_on',
    where: `payment_id IN (SELECT id FROM billing.payments WHERE ${OF_SEED})`,
  },
  { table: 'public.events', key: 'id', columns: 'id, occurred_at, kind, payload', where: OF_SEED },
  {
    table: 'public.sessions',
    key: 'token',
    columns: 'token, customer_id, data, seen_at',
    where: 'token NOT IN (SELECT md5(request_id)::uuid FROM public.request_log WHERE request_id IS NOT NULL)',
  },
  { table: 'public.gift_cards', key: 'code', columns: 'code, balance' },
];

/** Sixteen chunks a table, each with its number of rows and a sum of their hashes. */
const fingerprintSql = ({ table, key, columns, where }: SeededTable): string => `
  SELECT mod(abs(hashtextextended((${key})::text, 0)), 16)::text AS chunk, count(*)::text AS rows,
    sum(hashtextextended(ROW(${columns})::text, 0))::text AS hash
  FROM ${table} WHERE ${where ?? 'true'} GROUP BY 1 ORDER BY 1`;

export const rowsBaseline: CheckDefinition = {
  id: 'rows-baseline',
  name: 'the rows that setup made are on the target, unchanged',
  needsReference: true,
  points: 6,
  async run({ reference, target }) {
    if (target === undefined) return { score: 0, output: 'no target is deployed' };
    const [wanted, found] = await Promise.all([fingerprints(await reference()), fingerprints(target)]);
    const differing = SEEDED.filter((_, index) => wanted[index] !== found[index]).map(({ table }) => table);
    if (differing.length === 0) return { score: 6, output: `${SEEDED.length} tables intact` };
    return {
      score: 0,
      output: `${differing.length} of ${SEEDED.length} tables differ: ${differing.slice(0, 4).join(', ')}`,
      hint: 'task 3: rows are missing, changed or made twice. Did the first copy come from one snapshot?',
      evidence: differing,
    };
  },
};

async function fingerprints(address: ServerAddress): Promise<string[]> {
  return withSession(address, async (session) => {
    const all: string[] = [];
    for (const table of SEEDED) {
      const chunks = await rowsOf(session, fingerprintSql(table)).catch((error: Error) => [error.message]);
      all.push(JSON.stringify(chunks));
    }
    return all;
  });
}

export const noLostWrites: CheckDefinition = {
  id: 'no-lost-writes',
  name: 'every acknowledged write is on the target, exactly once',
  points: 10,
  isStarred: true,
  async run({ ledger, secrets, target }) {
    if (target === undefined) return { score: 0, output: 'no target is deployed' };
    const traces = await readTraces(target, ledger.header.run).catch((error: Error) => error);
    if (traces instanceof Error)
      return { score: 0, output: `the target cannot be audited: ${traces.message}`, hint: 'task 2' };
    const { lost, doubled, torn, lostIds, doubledIds, inconsistencies } = auditSide(
      ledger,
      secrets.seed,
      traces,
    );
    const writes = ledger.outcomes.filter(({ requestId }) => requestId !== undefined).length;
    if (lost + doubled + torn + inconsistencies.length === 0)
      return { score: 10, output: `${writes} of ${writes} writes of the ledger are there once` };
    const odd = inconsistencies.length === 0 ? '' : `, ${inconsistencies.length} rows do not add up`;
    return {
      score: 0,
      output: `of ${writes} writes ${lost} are lost, ${doubled} doubled, ${torn} torn${odd}`,
      hint: 'task 5: hold the writers, let the target catch up to where they stopped, and only then switch.',
      evidence: { lostIds: lostIds.slice(0, 10), doubledIds: doubledIds.slice(0, 10), inconsistencies },
    };
  },
};

/** What neither the seed nor a request explains, by table; parameters: the run's prefix. */
const UNEXPLAINED = `
  SELECT * FROM (VALUES
    ('request_log', (SELECT count(*) FROM public.request_log WHERE NOT starts_with(request_id, $1))),
    ('orders', (SELECT count(*) FROM public.orders WHERE NOT starts_with(request_id, $1))),
    ('payments', (SELECT count(*) FROM billing.payments WHERE NOT starts_with(request_id, $1))),
    ('events', (SELECT count(*) FROM public.events WHERE NOT starts_with(request_id, $1))),
    ('order_status_changes', (SELECT count(*) FROM public.order_status_changes)
      - (SELECT count(*) FROM public.orders WHERE request_id IS NOT NULL AND status IN ('paid', 'cancelled'))),
    ('invoices', (SELECT count(*) FROM billing.invoices i JOIN billing.payments p ON p.id = i.payment_id WHERE p.request_id IS NOT NULL)
      - (SELECT count(*) FROM billing.payments WHERE request_id IS NOT NULL))
  ) AS t (what, rows) WHERE rows <> 0`;

export const noExtraRows: CheckDefinition = {
  id: 'no-extra-rows',
  name: 'nothing is on the target that neither setup nor the ledger explains',
  needsReference: true,
  points: 3,
  needsSwitch: true,
  async run(world) {
    const { ledger, secrets, reference } = world;
    const target = targetOf(world);
    const { run } = ledger.header;
    const traces = await readTraces(target, run);
    const { extra, extraIds } = auditSide(ledger, secrets.seed, traces);
    const unexplained = await withSession(target, (session) =>
      rowsOf<{ what: string; rows: string }>(session, UNEXPLAINED, [`${run}.`]),
    );
    const [wanted, found] = await Promise.all([staticCounts(await reference()), staticCounts(target)]);
    const static_ = Object.keys(wanted).filter((table) => Number(found[table]) > Number(wanted[table]));
    const tables = [...unexplained.map(({ what }) => what), ...static_];
    if (extra + tables.length === 0) return { score: 3, output: 'every row is explained' };
    return {
      score: 0,
      output: `${extra} writes that were never sent; rows without an explanation in ${tables.join(', ') || 'no table'}`,
      hint: 'Rows of tests and trials, or rows that came twice by another way.',
      evidence: { extraIds: extraIds.slice(0, 10), unexplained, static: static_ },
    };
  },
};

/** Of tables that nobody adds rows to. */
async function staticCounts(address: ServerAddress): Promise<Record<string, string>> {
  const tables = [
    'countries',
    'categories',
    'products',
    'customers',
    'addresses',
    'price_list',
    'gift_cards',
  ];
  const counts = tables.map((table) => `(SELECT count(*) FROM public.${table})::text AS ${table}`);
  const [row] = await withSession(address, (session) =>
    rowsOf<Record<string, string>>(session, `SELECT ${counts.join(', ')}`),
  );
  return row ?? {};
}
