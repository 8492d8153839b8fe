/** The head of the page: the outcome, the few figures that people ask for first, both servers, the way back. Pure. */

import type { Side } from '../../domain/names.ts';
import { formatBytes, formatCount, formatDuration } from '../quantity.ts';
import type { ReportData } from '../report.ts';
import { type Html, html, NOTHING } from './html.ts';
import { type Figure, figures, moment, section, table, verdict } from './parts.ts';

const SIGNS: Readonly<Record<ReportData['outcome'], string>> = {
  success: '✔',
  completed: '✔',
  'rolled back': '↩',
  'in progress': '▶',
  aborted: '■',
};

export const head = ({ migration, outcome, activeSide, phase }: ReportData): Html =>
  html`<header>
<p class="brand">pgglide · account of a migration</p>
<h1>${migration}</h1>
<p class="outcome">${SIGNS[outcome]} ${capital(outcome)} <small>Traffic is on the ${activeSide.toUpperCase()}, phase ${phase}</small></p>
</header>
`;

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

export const overview = (report: ReportData): Html =>
  section('overview', 'At a glance', figures(overviewFigures(report)));

function overviewFigures(report: ReportData): Figure[] {
  const { source, target, copy, startedAt, sequences } = report;
  return [
    { name: 'Versions', value: `${source.version ?? '?'} → ${target.version ?? '?'}` },
    { name: 'Begun', value: startedAt === undefined ? 'not yet' : moment(startedAt) },
    ...(copy === undefined
      ? []
      : [
          {
            name: 'Copied',
            value: `${formatCount(copy.rows)} rows`,
            remark: `${formatCount(copy.tables)} tables, ${formatBytes(copy.bytes)} in ${formatDuration(copy.seconds * 1000)}`,
          },
        ]),
    ...equalFigure(report),
    { name: 'Sequences', value: formatCount(sequences), remark: 'set at each switch' },
    ...requestFigures(report),
  ];
}

function equalFigure({ verifications }: ReportData): Figure[] {
  const last = verifications.at(-1);
  if (last === undefined) return [{ name: 'Tables equal', value: 'not compared yet' }];
  const equal = last.tables.filter((each) => each.equal).length;
  const value = verdict(last.equal, `${formatCount(equal)} of ${formatCount(last.tables.length)}`);
  return [{ name: 'Tables equal', value, remark: moment(last.at) }];
}

function requestFigures({ requests, switchovers }: ReportData): Figure[] {
  if (switchovers.length === 0) return [];
  return [
    { name: 'Longest wait', value: formatDuration(requests.longestWaitMs), remark: 'of any held request' },
    {
      name: 'Failed requests',
      value: verdict(requests.failed === 0, formatCount(requests.failed)),
      remark: `of ${formatCount(requests.held)} held`,
    },
  ];
}

export function servers(report: ReportData): Html {
  const row = (side: Side) => {
    const { version, address } = report[side];
    const role = report.activeSide === side ? '▶ serves the application' : 'stands by';
    return [
      capital(side),
      version === undefined ? 'not reachable' : `PostgreSQL ${version}`,
      address,
      role,
    ] as const;
  };
  const columns = [{ title: 'Side' }, { title: 'Server' }, { title: 'Address' }, { title: 'Role' }];
  return section('servers', 'Servers', table('The two servers', columns, [row('source'), row('target')]));
}

export const wayBack = (report: ReportData): Html =>
  section('way-back', 'The way back', html`<p>${withCommands(report.wayBack)}</p>`);

/** Commands in the text can be told from words. */
const withCommands = (text: string): Html[] =>
  text
    .split(/(pgglide [a-z]+)/)
    .map((part) => (part.startsWith('pgglide ') ? html`<code>${part}</code>` : html`${part}`));

export const foot = ({ pgglideVersion, generatedAt }: ReportData): Html =>
  html`<footer><p>Written by pgglide ${pgglideVersion} at ${moment(generatedAt)}. All times are UTC.</p></footer>
`;

export function lists(report: ReportData): Html {
  const { notCarried, warnings, timeline } = report;
  const left = notCarried.map(({ object, reason }) => [object, reason] as const);
  const warned = warnings.map(({ code, message, hint }) => {
    const more = hint === undefined ? NOTHING : html` <small>${hint}</small>`;
    return [code, html`${message}${more}`] as const;
  });
  const happened = timeline.map(({ at, what }) => [moment(at), what] as const);
  return html`${
    left.length === 0
      ? NOTHING
      : section(
          'not-carried',
          'Not carried over',
          table('What the target does not have', [{ title: 'Object' }, { title: 'Why' }], left),
        )
  }${
    warned.length === 0
      ? NOTHING
      : section(
          'warnings',
          'Warnings',
          table('What was warned of', [{ title: 'Code' }, { title: 'Warning' }], warned),
        )
  }${
    happened.length === 0
      ? NOTHING
      : section(
          'timeline',
          'Timeline',
          table('What happened, oldest first', [{ title: 'When' }, { title: 'What' }], happened),
        )
  }`;
}
