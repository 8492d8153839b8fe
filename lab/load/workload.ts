/** What the n-th request is: a pure function of the seed, save for the orders it may pay or cancel. */

import { createHash, createHmac } from 'node:crypto';

/** Order matters only in that it never changes: ledgers hold these words. */
export type RequestKind =
  | 'read-order'
  | 'read-customer-orders'
  | 'search-products'
  | 'read-dashboard'
  | 'place-order'
  | 'pay-order'
  | 'cancel-order'
  | 'append-event'
  | 'update-customer'
  | 'save-cart';

export interface Catalog {
  readonly customers: number;
  readonly products: number;
  readonly orders: number;
}

export interface PlannedRequest {
  readonly kind: RequestKind;
  readonly method: string;
  readonly path: string;
  /** JSON; undefined for reads. */
  readonly body: string | undefined;
}

/** The share of each kind among the reads, and among the writes. They need not add up to 1. */
const READS: readonly [RequestKind, number][] = [
  ['read-order', 45],
  ['read-customer-orders', 35],
  ['search-products', 15],
  ['read-dashboard', 5],
];
const WRITES: readonly [RequestKind, number][] = [
  ['place-order', 40],
  ['pay-order', 20],
  ['cancel-order', 5],
  ['append-event', 15],
  ['update-customer', 10],
  ['save-cart', 10],
];

const WORDS = ['hammer', 'lamp', 'table', 'novel', 'kettle', 'bicycle', 'chair'];
const METHODS = ['card', 'invoice', 'voucher'];

export interface WorkloadOptions {
  readonly seed: string;
  /** 0 to 1. */
  readonly readShare: number;
  readonly catalog: Catalog;
}

export class Workload {
  readonly #options: WorkloadOptions;
  readonly #seedNumber: number;
  /** Orders placed by this run and neither paid nor cancelled yet. */
  readonly #open: number[] = [];

  constructor(options: WorkloadOptions) {
    this.#options = options;
    this.#seedNumber = createHash('sha256').update(options.seed).digest().readUInt32LE();
  }

  orderPlaced(orderId: number): void {
    this.#open.push(orderId);
  }

  plan(n: number): PlannedRequest {
    const dice = new Dice(this.#seedNumber, n);
    const kind = pick(dice.roll() < this.#options.readShare ? READS : WRITES, dice.roll());
    return this.#request(kind, dice);
  }

  #request(kind: RequestKind, dice: Dice): PlannedRequest {
    const { customers, products, orders } = this.#options.catalog;
    switch (kind) {
      case 'read-order':
        return get(kind, `/orders/${dice.upTo(orders)}`);
      case 'read-customer-orders':
        return get(kind, `/customers/${dice.upTo(customers)}/orders`);
      case 'search-products':
        return get(kind, `/products?search=${WORDS[dice.upTo(WORDS.length) - 1]}`);
      case 'read-dashboard':
        return get(kind, '/dashboard');
      case 'place-order':
        return write(kind, 'POST', '/orders', {
          customer: dice.upTo(customers),
          lines: orderLines(dice, products),
        });
      case 'pay-order':
      case 'cancel-order':
        return this.#onOpenOrder(kind, dice);
      case 'append-event':
        return write(kind, 'POST', '/events', { kind: 'load.tick', payload: { dice: dice.upTo(6) } });
      case 'update-customer':
        return write(kind, 'PATCH', `/customers/${dice.upTo(customers)}`, {
          profile: { points: dice.upTo(1000) },
        });
      case 'save-cart':
        return write(kind, 'PUT', `/carts/${dice.upTo(customers)}`, { contents: orderLines(dice, products) });
    }
  }

  /** The oldest open order; an event in its place when there is none. */
  #onOpenOrder(kind: 'pay-order' | 'cancel-order', dice: Dice): PlannedRequest {
    const orderId = this.#open.shift();
    if (orderId === undefined) return this.#request('append-event', dice);
    if (kind === 'cancel-order') return write(kind, 'POST', `/orders/${orderId}/cancellation`, {});
    return write(kind, 'POST', `/orders/${orderId}/payment`, {
      method: METHODS[dice.upTo(METHODS.length) - 1],
    });
  }
}

const get = (kind: RequestKind, path: string): PlannedRequest => ({
  kind,
  method: 'GET',
  path,
  body: undefined,
});

const write = (kind: RequestKind, method: string, path: string, body: object): PlannedRequest => ({
  kind,
  method,
  path,
  body: JSON.stringify(body),
});

function orderLines(dice: Dice, products: number): object[] {
  const first = dice.upTo(products);
  const count = dice.upTo(3);
  return Array.from({ length: count }, (_, index) => ({
    product: 1 + ((first + index * 13) % products),
    quantity: dice.upTo(4),
  }));
}

function pick(shares: readonly [RequestKind, number][], roll: number): RequestKind {
  let left = roll * shares.reduce((sum, [, share]) => sum + share, 0);
  for (const [kind, share] of shares) {
    left -= share;
    if (left < 0) return kind;
  }
  return 'append-event';
}

/** mulberry32, started anew for each n: cheap, and good enough to spread ids. */
class Dice {
  #state: number;

  constructor(seed: number, n: number) {
    this.#state = (seed ^ Math.imul(n + 1, 0x9e3779b1)) >>> 0;
  }

  /** From 0 to 1, 1 excluded. */
  roll(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** From 1 to the limit, both included. */
  upTo(limit: number): number {
    return 1 + Math.floor(this.roll() * limit);
  }
}

/** Names a run without telling its seed. */
export const runName = (seed: string): string =>
  createHash('sha256').update(`run ${seed}`).digest('hex').slice(0, 8);

/** "run.n.mac": only who knows the seed can make one. */
export const requestId = (seed: string, run: string, n: number): string =>
  `${run}.${n}.${createHmac('sha256', seed).update(String(n)).digest('hex').slice(0, 12)}`;
