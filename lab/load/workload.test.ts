import { describe, expect, test } from 'vitest';
import { requestId, runName, Workload } from './workload.ts';

const catalog = { customers: 100, products: 50, orders: 1000 };
const workload = (seed: string, readShare = 0.7) => new Workload({ seed, readShare, catalog });
const plans = (load: Workload, count = 2_000) => Array.from({ length: count }, (_, n) => load.plan(n));

describe('the workload', () => {
  test('is the same for the same seed, and another for another', () => {
    expect(plans(workload('a'))).toEqual(plans(workload('a')));
    expect(plans(workload('a'))).not.toEqual(plans(workload('b')));
  });

  test('does not depend on what was planned before', () => {
    const load = workload('a');
    plans(load);
    expect(load.plan(7)).toEqual(workload('a').plan(7));
  });

  test.each([0, 0.7, 1])('keeps to a share of reads of %d', (share) => {
    const reads = plans(workload('a', share)).filter(({ method }) => method === 'GET').length;
    expect(Math.abs(reads / 2_000 - share)).toBeLessThan(0.03);
  });

  test('pays and cancels only orders that it placed, and each once', () => {
    const load = workload('a', 0);
    const isOnOrder = (path: string) => /^\/orders\/\d+\//.test(path);
    expect(plans(load, 500).some(({ path }) => isOnOrder(path))).toBe(false);
    for (let id = 1; id <= 20; id++) load.orderPlaced(id);
    const paths = plans(load).map(({ path }) => path);
    const orders = paths.filter(isOnOrder).map((path) => Number(path.split('/')[2]));
    expect(orders).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  });

  test('asks only for what is there', () => {
    for (const { kind, path } of plans(workload('a', 1))) {
      const id = Number(path.split('/')[2]);
      if (kind === 'read-order') expect(id >= 1 && id <= catalog.orders).toBe(true);
      if (kind === 'read-customer-orders') expect(id >= 1 && id <= catalog.customers).toBe(true);
    }
  });
});

test('a request id tells its run and number, and needs the seed', () => {
  const run = runName('seed');
  expect(requestId('seed', run, 12)).toMatch(new RegExp(`^${run}\\.12\\.[0-9a-f]{12}$`));
  expect(requestId('seed', run, 12)).not.toBe(requestId('other', run, 12));
  expect(run).not.toContain('seed');
});
