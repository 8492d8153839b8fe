/** Fills a database as the lab's source is filled; the grader does the same again to know what must be there. */

import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import pg from 'pg';
import type { ServerAddress } from '../../../src/index.ts';
import { seedDatabase } from '../../app/seed.ts';
import { APP_USER } from '../folder.ts';
import { withSession } from '../session.ts';

export interface LabSeed {
  readonly rows: number;
  readonly seed: string;
  readonly appPassword: string;
}

/** The address must be a superuser's, its database must be there and empty. */
export async function seedLab(address: ServerAddress, { rows, seed, appPassword }: LabSeed): Promise<void> {
  await seedDatabase(address, { rows, appRole: { name: APP_USER, password: appPassword } });
  await withSession(address, async (session) => {
    await session.query(readFileSync(new URL('extras.sql', import.meta.url), 'utf8'));
    const database = pg.escapeIdentifier(address.database);
    await session.query(`ALTER DATABASE ${database} SET search_path = "$user", public, billing`);
    const list = priceList(seed, Math.min(3_000, rows));
    await session.query(
      `INSERT INTO public.price_list (number, label, price, valid)
       SELECT n, l, p, daterange('2026-01-01'::date + d, '2027-01-01'::date + d)
       FROM unnest($1::integer[], $2::text[], $3::bigint[], $4::integer[]) AS t (n, l, p, d)`,
      [
        list.map(({ number }) => number),
        list.map(({ label }) => label),
        list.map(({ price }) => price),
        list.map(({ days }) => days),
      ],
    );
    await session.query('ANALYZE public.price_list');
  });
}

interface Price {
  readonly number: number;
  readonly label: string;
  readonly price: number;
  readonly days: number;
}

/** Without the seed nobody can make these rows; they come from the source or not at all. */
function priceList(seed: string, count: number): Price[] {
  return Array.from({ length: count }, (_, index) => {
    const mac = createHmac('sha256', seed).update(`price ${index}`).digest();
    return {
      number: index + 1,
      label: mac.toString('hex', 0, 8),
      price: mac.readUInt32LE(8) % 100_000,
      days: mac.readUInt32LE(12) % 365,
    };
  });
}
