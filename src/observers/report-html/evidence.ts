/** What was compared, and each table's fingerprint. Pure. */

import { formatCount, formatDuration } from '../quantity.ts';
import type { ReportData, ReportedVerification } from '../report.ts';
import { type Html, html, NOTHING } from './html.ts';
import { type Column, moment, section, table, verdict } from './parts.ts';

export function evidence({ verifications }: ReportData): Html {
  const last = verifications.at(-1);
  if (last === undefined) return NOTHING;
  return section('evidence', 'Evidence', html`${comparisons(verifications)}${fingerprints(last)}`);
}

const COMPARISON_COLUMNS: readonly Column[] = [
  { title: 'When' },
  { title: 'How' },
  { title: 'Tables equal' },
  { title: 'Sequences' },
  { title: 'Took', isNumber: true },
];

function comparisons(all: readonly ReportedVerification[]): Html {
  const rows = all.map(({ at, mode, tables, equal, sequencesEqual, seconds }) => {
    const same = tables.filter((each) => each.equal).length;
    return [
      moment(at),
      mode === 'pinned' ? 'both sides at one instant' : 'under load',
      verdict(equal, `${formatCount(same)} of ${formatCount(tables.length)}`),
      sequencesEqual === undefined
        ? 'set at the switch'
        : verdict(sequencesEqual, sequencesEqual ? 'equal' : 'differ'),
      formatDuration(seconds * 1000),
    ] as const;
  });
  return table('Comparisons of all rows', COMPARISON_COLUMNS, rows);
}

const TABLE_COLUMNS: readonly Column[] = [
  { title: 'Table' },
  { title: 'Verdict' },
  { title: 'Rows on the source', isNumber: true },
  { title: 'Rows on the target', isNumber: true },
  { title: 'Fingerprint' },
];

/** What differs comes first. */
function fingerprints({ at, tables }: ReportedVerification): Html {
  const sorted = [...tables].sort((one, other) => Number(one.equal) - Number(other.equal));
  const rows = sorted.map(
    ({ table: name, equal, sourceRows, targetRows, fingerprint }) =>
      [
        name,
        verdict(equal, equal ? 'equal' : 'differs'),
        formatCount(sourceRows),
        formatCount(targetRows),
        html`<code>${fingerprint}</code>`,
      ] as const,
  );
  return html`${table('Fingerprints of the last comparison', TABLE_COLUMNS, rows)}<p class="note">As of ${moment(at)}. A fingerprint is a hash of all rows of a table; equal sides share it, otherwise it is the source’s.</p>
`;
}
