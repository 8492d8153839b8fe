/** May we switch now? Pure: facts and thresholds in, one line per guardrail out. */

import { otherSide, type Side } from './names.ts';

export interface LongTransaction {
  readonly pid: number;
  readonly user: string;
  readonly state: string;
  readonly ageMs: number;
  readonly query: string;
}

/** A session that holds a lock which the barrier's conflicts with: of any mode but a reader's. */
export interface LockHolder {
  readonly pid: number;
  readonly user: string;
  readonly table: string;
  /** Of its transaction. */
  readonly ageMs: number;
  readonly query: string;
  /** An autovacuum ends when the barrier wants its table; VACUUM by hand, and one against wraparound, do not. */
  readonly yields: boolean;
}

export interface ReadinessFacts {
  /** Every subscription of the link is enabled and its worker runs. */
  readonly linkRuns: boolean;
  /** What somebody has changed of the link: it may leave changes out. */
  readonly altered: readonly string[];
  /** A marker's way from the old side to the new one; undefined: it did not arrive. */
  readonly lagMs: number | undefined;
  readonly longTransactions: readonly LongTransaction[];
  readonly preparedTransactions: readonly string[];
  /** VACUUM, CREATE INDEX CONCURRENTLY and the like hold locks for long without having written. */
  readonly lockHolders: readonly LockHolder[];
  /** Subscriptions of others that write into replicated tables: "name on the source". No fence stops their workers. */
  readonly feeds: readonly string[];
  /** Tables that both sides have and the link does not carry. */
  readonly unlinked: readonly string[];
  /** What sessions on the new side begin with, and not on the old one: they could not write, say. */
  readonly hindrances: readonly string[];
  /** The side that takes the writes. */
  readonly from: Side;
}

export interface Guardrail {
  readonly id:
    | 'link'
    | 'altered'
    | 'lag'
    | 'long-transactions'
    | 'prepared-transactions'
    | 'locks'
    | 'feeds'
    | 'tables'
    | 'sessions';
  readonly isOk: boolean;
  readonly text: string;
  readonly hint: string;
}

export const blocking = (guardrails: readonly Guardrail[]): Guardrail[] =>
  guardrails.filter((guardrail) => !guardrail.isOk);

export function readiness(facts: ReadinessFacts, limits: { readonly maxLagMs: number }): Guardrail[] {
  return [
    link(facts),
    ...altered(facts),
    lag(facts, limits.maxLagMs),
    ...transactions(facts),
    locks(facts),
    feeds(facts),
    tables(facts),
    ...sessions(facts),
  ];
}

function link({ linkRuns }: ReadinessFacts): Guardrail {
  return {
    id: 'link',
    isOk: linkRuns,
    text: linkRuns ? 'link runs' : 'the link does not run',
    hint: 'pgglide status tells why the link stands still.',
  };
}

function altered({ altered: texts }: ReadinessFacts): Guardrail[] {
  if (texts.length === 0) return [];
  const hint = 'pgglide verify makes the link as it was, and shows what it may have left out.';
  return [{ id: 'altered', isOk: false, text: `somebody has altered the link: ${texts.join('; ')}`, hint }];
}

function lag({ linkRuns, lagMs }: ReadinessFacts, maxLagMs: number): Guardrail {
  const isOk = !linkRuns || (lagMs !== undefined && lagMs <= maxLagMs);
  const text = lagMs === undefined ? 'a marker did not arrive' : `lag ${Math.round(lagMs)} ms`;
  return {
    id: 'lag',
    isOk,
    text: isOk ? text : `${text}, more than ${Math.round(maxLagMs)} ms`,
    hint: 'Wait until the new side has caught up (pgglide status -w), then try again.',
  };
}

function transactions({ longTransactions, preparedTransactions }: ReadinessFacts): Guardrail[] {
  const long = longTransactions.map(
    (t) =>
      `pid ${t.pid} (${t.user}, ${t.state}) for ${Math.round(t.ageMs / 1000)} s: ${t.query.slice(0, 60)}`,
  );
  return [
    {
      id: 'long-transactions',
      isOk: long.length === 0,
      text: long.length === 0 ? 'no long transactions' : `long transactions: ${long.join('; ')}`,
      hint: 'Let them finish, or end them with SELECT pg_terminate_backend(pid).',
    },
    {
      id: 'prepared-transactions',
      isOk: preparedTransactions.length === 0,
      text:
        preparedTransactions.length === 0
          ? 'no prepared transactions'
          : `prepared transactions: ${preparedTransactions.join(', ')}`,
      hint: 'Finish them with COMMIT PREPARED or ROLLBACK PREPARED.',
    },
  ];
}

/** Who would keep the barrier waiting, but for those that are called long transactions already. */
export function stayingHolders(
  lockHolders: readonly LockHolder[],
  longTransactions: readonly Pick<LongTransaction, 'pid'>[],
): LockHolder[] {
  const named = new Set(longTransactions.map(({ pid }) => pid));
  return lockHolders.filter(({ pid, yields }) => !yields && !named.has(pid));
}

function locks({ lockHolders, longTransactions }: ReadinessFacts): Guardrail {
  const staying = stayingHolders(lockHolders, longTransactions);
  const yielding = lockHolders.filter(({ yields }) => yields);
  const id = 'locks';
  const hint = 'Let them finish, or end them with SELECT pg_cancel_backend(pid).';
  if (staying.length > 0) {
    const who = staying.map(
      (one) =>
        `${one.table} by pid ${one.pid} (${one.user}) for ${Math.round(one.ageMs / 1000)} s: ${one.query.slice(0, 60)}`,
    );
    return { id, isOk: false, text: `locked: ${who.join('; ')}`, hint };
  }
  const tables = yielding.map(({ table }) => table);
  const text = tables.length === 0 ? 'no lock in the way' : `autovacuum of ${tables.join(', ')} will yield`;
  return { id, isOk: true, text, hint };
}

function feeds({ feeds: names }: ReadinessFacts): Guardrail {
  const isOk = names.length === 0;
  return {
    id: 'feeds',
    isOk,
    text: isOk ? 'nobody else feeds the tables' : `subscriptions of others are enabled: ${names.join(', ')}`,
    hint: 'ALTER SUBSCRIPTION ... DISABLE, and hand it over after the switch (pgglide explain PGG166 tells how): its rows would be on one side only.',
  };
}

const JOIN: Readonly<Record<Side, string>> = {
  source:
    'Created, or dropped and created again, since the sync: pgglide sync copies them and lets the link follow.',
  target:
    'Created, or dropped and created again, since the cutover: pgglide sync brings them to the source, rows included. Or leave them out with scope.exclude if their rows may stay on the target.',
};

function tables({ unlinked, from }: ReadinessFacts): Guardrail {
  const isOk = unlinked.length === 0;
  return {
    id: 'tables',
    isOk,
    text: isOk ? 'every table is replicated' : `not replicated: ${unlinked.join(', ')}`,
    hint: JOIN[from],
  };
}

function sessions({ hindrances, from }: ReadinessFacts): Guardrail[] {
  if (hindrances.length === 0) return [];
  const to = otherSide(from);
  const text = `sessions on the ${to} would begin with ${hindrances.join(', ')}`;
  const hint = `On the ${to}, ALTER DATABASE ... RESET it, or ALTER SYSTEM RESET where it is the server’s.`;
  return [{ id: 'sessions', isOk: false, text, hint }];
}
