/** PGG151 to 154: what runs now and stands in the way. */

import { qualified, SIDES, type Side } from '../names.ts';
import { numberOf, serverOf, type TransactionFact } from './facts.ts';
import { quoteName, quoteTable, quoteText } from './quote.ts';
import { couldNotLook, type Report, type Rule } from './rule.ts';
import type { Thresholds } from './thresholds.ts';
import { durationInWords } from './words.ts';

const isIdle = (transaction: TransactionFact): boolean => transaction.state.startsWith('idle in transaction');

const said = (one: TransactionFact): string =>
  `(pid ${one.pid}, "${one.application || one.user || one.kind}", ${one.state})`;
const ending = (one: TransactionFact, fixOn: Side): Pick<Report, 'fix' | 'fixOn' | 'object'> => ({
  object: `pid ${one.pid}`,
  fix: `SELECT pg_terminate_backend(${one.pid});`,
  fixOn,
});
const inDatabase = ({ database }: TransactionFact): Pick<Report, 'detail'> =>
  database === undefined ? {} : { detail: `in database ${database}` };

function judgeOpen(one: TransactionFact, { openTransactionMs, longTransactionMs }: Thresholds): Report[] {
  const limitMs = one.hasWritten ? openTransactionMs : longTransactionMs;
  if (one.preventsWraparound || one.ageMs < limitMs || (!one.hasWritten && isIdle(one))) return [];
  const blocks = one.hasWritten ? 'the consistent snapshot' : 'draining at the cutover';
  return [
    {
      severity: one.hasWritten && one.ageMs >= longTransactionMs ? 'blocker' : 'warning',
      title: `transaction open for ${durationInWords(one.ageMs)} ${said(one)}`,
      blocks,
      ...inDatabase(one),
      ...ending(one, 'source'),
    },
  ];
}

/** Until the cutover nobody waits for them. */
const judgeOpenOnTarget = (one: TransactionFact, { openTransactionMs }: Thresholds): Report[] =>
  one.hasWritten && one.ageMs >= openTransactionMs
    ? [
        {
          severity: 'warning',
          title: `transaction open on the target for ${durationInWords(one.ageMs)} ${said(one)}`,
          blocks: 'the slot of the way back, which the cutover makes first',
          ...inDatabase(one),
          ...ending(one, 'target'),
        },
      ]
    : [];

const openTransactions: Rule = {
  id: 'PGG151',
  title: 'no transaction has been open for long',
  severity: 'blocker',
  background: `A logical slot gets its consistent snapshot only when every transaction that had written something when it was asked for has
ended, in any database of the cluster. A transaction that stays open keeps sync waiting (a second one, started meanwhile, too),
holds back vacuum and, at the cutover, the drain. One minute is reported, five minutes block. On the target it is the slot of the way back
that waits, made just before each cutover; that is reported and blocks nothing yet.`,
  check: (facts, thresholds) =>
    SIDES.filter((side) => side === 'source' || thresholds.wantsReverse).flatMap((side) => {
      const { activity, role } = serverOf(facts, side);
      if (activity === undefined) return [couldNotLook('open transactions', side, grantMonitor(role.name))];
      const judge = side === 'source' ? judgeOpen : judgeOpenOnTarget;
      return activity.transactions.flatMap((one) => judge(one, thresholds));
    }),
};

const grantMonitor = (role: string): string => `GRANT pg_monitor TO ${quoteName(role)};`;

const idleInTransaction: Rule = {
  id: 'PGG152',
  title: 'no session sits idle in a transaction',
  severity: 'warning',
  background: `A session that is idle in a transaction holds no snapshot up if it has only read, but the cutover waits for every running
transaction to end before it switches, within the pause budget. Find the client that forgets to commit; an
idle_in_transaction_session_timeout for the application's role is a good guard.`,
  check: ({ source }, { openTransactionMs }) =>
    (source.activity?.transactions ?? [])
      .filter((one) => isIdle(one) && !one.hasWritten && one.ageMs >= openTransactionMs)
      .map((one) => ({
        title: `idle in a transaction for ${durationInWords(one.ageMs)} ${said(one)}`,
        blocks: 'draining at the cutover',
        ...ending(one, 'source'),
      })),
};

const preparedTransactions: Rule = {
  id: 'PGG153',
  title: 'no prepared transaction waits for its second phase',
  severity: 'blocker',
  background: `A transaction of PREPARE TRANSACTION lives until someone ends it, across restarts. The slot's snapshot waits for it for ever, and so
does the barrier. If its coordinator is gone, decide: ROLLBACK PREPARED or COMMIT PREPARED, in the database it was prepared in. On the
target the slot of the way back waits for it: the cutover ends there, before its pause, so that it is reported and blocks nothing yet.`,
  check: (facts, { preparedTransactionMs, wantsReverse }) =>
    SIDES.filter((side) => side === 'source' || wantsReverse).flatMap((side) =>
      (serverOf(facts, side).activity?.prepared ?? []).map(
        (one): Report => ({
          severity: side === 'source' && one.ageMs >= preparedTransactionMs ? 'blocker' : 'warning',
          object: one.gid,
          title: `transaction "${one.gid}" has been prepared for ${durationInWords(one.ageMs)}${side === 'target' ? ' on the target' : ''}`,
          detail: `Run it in database ${one.database}, as ${one.owner} or a superuser; COMMIT PREPARED if its coordinator says so.`,
          fix: `ROLLBACK PREPARED ${quoteText(one.gid)};`,
          fixOn: side,
          blocks:
            side === 'source'
              ? 'the consistent snapshot'
              : 'the slot of the way back, which the cutover makes first',
        }),
      ),
    ),
};

const wraparound: Rule = {
  id: 'PGG154',
  title: 'no anti-wraparound vacuum is near',
  severity: 'warning',
  background: `Past autovacuum_freeze_max_age the server vacuums a table to prevent transaction id wraparound, and that vacuum does not yield
to a waiting lock as others do. At the cutover the barrier would wait behind it until the budget is spent. Freeze such tables beforehand.`,
  check({ source }, { freezeAgeShare }) {
    const limit = numberOf(source, 'autovacuum_freeze_max_age') ?? Number.POSITIVE_INFINITY;
    const running = (source.activity?.transactions ?? [])
      .filter((one) => one.preventsWraparound)
      .map((one): Report => {
        const title = `an anti-wraparound vacuum is running (pid ${one.pid}); it yields to nobody`;
        return { title, object: `pid ${one.pid}`, detail: 'Let it finish before the cutover.' };
      });
    const near = source.objects.tables
      .filter((table) => table.freezeAge > limit * freezeAgeShare)
      .map(
        (table): Report => ({
          object: qualified(table),
          title: `table ${qualified(table)} is near an anti-wraparound vacuum (age ${table.freezeAge} of ${limit})`,
          fix: `VACUUM (FREEZE) ${quoteTable(table)};`,
          fixOn: 'source',
        }),
      );
    return [...running, ...near];
  },
};

export const activityRules: readonly Rule[] = [
  openTransactions,
  idleInTransaction,
  preparedTransactions,
  wraparound,
];
