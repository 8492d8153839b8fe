/** PGG105, 106, 117, 143: bytes and order of text. */

import { qualified } from '../names.ts';
import type { PreflightFacts, ServerIdentity } from './facts.ts';
import { quoteName, quoteTable } from './quote.ts';
import type { Report, Rule } from './rule.ts';

const encoding: Rule = {
  id: 'PGG105',
  title: 'the encodings fit',
  severity: 'blocker',
  background: `Text travels in the source's encoding and is converted by the target. SQL_ASCII means "any bytes": nothing says how to convert
them, and the first byte that is not valid on the target stops the copy or the apply worker. From LATIN1 (and the like) to UTF8
everything converts, but the bytes differ, so verification compares text, not bytes. From UTF8 to anything else characters may be
missing. Create the target's database with the encoding it needs: CREATE DATABASE ... TEMPLATE template0 ENCODING ....`,
  check({ source, target }) {
    const [from, to] = [source.identity.encoding, target.identity.encoding];
    if (from === to) return [];
    const title = `encoding is ${from} on the source and ${to} on the target`;
    if (from === 'SQL_ASCII') return [{ title, detail: 'The source may hold bytes that are no valid text.' }];
    if (to === 'UTF8') return [{ severity: 'note', title, detail: 'Everything converts.' }];
    if (to === 'SQL_ASCII')
      return [{ severity: 'warning', title, detail: 'The target will not check text.' }];
    return [{ title, detail: `Characters that ${to} does not have cannot be copied.` }];
  },
};

const localeOf = (identity: ServerIdentity): string =>
  identity.localeProvider === 'libc'
    ? `libc ${identity.collate}/${identity.ctype}`
    : `${identity.localeProvider} ${identity.icuLocale ?? ''}`.trim();

/** "C.UTF-8" and "C.utf8" are one locale. */
const sameLocale = (a: string, b: string): boolean =>
  a.toLowerCase().replaceAll('-', '') === b.toLowerCase().replaceAll('-', '');

function versionReport(from: ServerIdentity, to: ServerIdentity): Report[] {
  const [old, now] = [from.actualCollationVersion, to.actualCollationVersion];
  if (old === undefined || now === undefined || old === now) return [];
  return [
    {
      severity: 'note',
      title: `the collation library differs: ${old} on the source, ${now} on the target`,
      detail:
        'Indexes are built anew on the target, so they are right; ORDER BY may differ for rare characters.',
    },
  ];
}

const databaseLocale: Rule = {
  id: 'PGG106',
  title: 'the collations match',
  severity: 'warning',
  background: `Provider (libc, ICU, builtin), locale and library version decide how text is ordered and what upper() returns. pgglide builds
every index anew on the target, so a difference corrupts nothing; but ORDER BY, range queries on text, and unique indexes on
nondeterministic collations may answer differently after the switch. A database's locale is chosen when it is created.`,
  passed: ({ source }) => `the collations match: ${localeOf(source.identity)}`,
  check({ source, target }) {
    const [from, to] = [source.identity, target.identity];
    if (sameLocale(localeOf(from), localeOf(to))) return versionReport(from, to);
    const detail = `Create the target's database from template0 with the source's locale if results must not change.`;
    return [{ title: `locale is ${localeOf(from)} on the source and ${localeOf(to)} on the target`, detail }];
  },
};

const databaseIsStale = ({ collationVersion, actualCollationVersion }: ServerIdentity): boolean =>
  collationVersion !== undefined &&
  actualCollationVersion !== undefined &&
  collationVersion !== actualCollationVersion;

const staleCollations: Rule = {
  id: 'PGG117',
  title: "the source's indexes fit its collation library",
  severity: 'warning',
  background: `The operating system's collation library was updated since these collations were created: text may be ordered differently now
than when the indexes were built, and those indexes may miss rows or hold duplicates. A duplicate hidden this way makes the unique index
on the target fail. Rebuild the indexes on the source, then refresh the recorded version.`,
  check({ source }) {
    const { identity, objects } = source;
    const database = quoteName(identity.database);
    const ofDatabase: Report[] = databaseIsStale(identity)
      ? [
          {
            title: `database ${identity.database} was created with collation version ${identity.collationVersion}, the library is ${identity.actualCollationVersion}`,
            fix: `REINDEX DATABASE CONCURRENTLY ${database};\nALTER DATABASE ${database} REFRESH COLLATION VERSION;`,
            fixOn: 'source',
          },
        ]
      : [];
    const ofCollations = objects.staleCollations.map(
      (collation): Report => ({
        title: `the library behind collation ${qualified(collation)} changed`,
        object: qualified(collation),
        detail: 'First REINDEX every index that uses it.',
        fix: `ALTER COLLATION ${quoteTable(collation)} REFRESH VERSION;`,
        fixOn: 'source',
      }),
    );
    return [...ofDatabase, ...ofCollations];
  },
};

const orderDiffers = ({ source, target }: PreflightFacts): boolean =>
  !sameLocale(localeOf(source.identity), localeOf(target.identity)) ||
  source.identity.actualCollationVersion !== target.identity.actualCollationVersion;

const textRanges: Rule = {
  id: 'PGG143',
  title: 'no table is partitioned by ranges of text whose order differs',
  severity: 'warning',
  background: `A row belongs to the partition whose range holds its key, by the database's collation. Where source and target order text
differently a row may belong to another partition there; pgglide copies and replicates through the root, so that it goes where the
target wants it, but bounds that overlap or are out of order on the target do not load.`,
  check: (facts) =>
    orderDiffers(facts)
      ? facts.source.objects.rangesOfText.map((table) => ({
          title: `${qualified(table)} is partitioned by ranges of text, and the sides order text differently`,
          object: qualified(table),
          detail: 'Rows are routed by the target; the scratch load shows whether the bounds hold.',
        }))
      : [],
};

export const localeRules: readonly Rule[] = [encoding, databaseLocale, staleCollations, textRanges];
