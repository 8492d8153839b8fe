/** What every section of the page is made of. Pure. */

import { Html, type HtmlValue, html, NOTHING } from './html.ts';

export interface Column {
  readonly title: string;
  /** Numbers stand right, so that they can be compared. */
  readonly isNumber?: boolean;
}

/** The first cell of a row names it. */
export type Row = readonly [HtmlValue, ...HtmlValue[]];

export const section = (id: string, title: string, content: HtmlValue): Html =>
  html`<section aria-labelledby="${id}">
<h2 id="${id}">${title}</h2>
${content}
</section>
`;

export function table(caption: string, columns: readonly Column[], rows: readonly Row[]): Html {
  return tableOf(
    caption,
    columns,
    html`<tbody>
${rows.map((row) => tableRow(columns, row))}</tbody>`,
  );
}

/** A table whose rows the caller has put into one or several bodies. */
export const tableOf = (caption: string, columns: readonly Column[], bodies: HtmlValue): Html =>
  html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0">
<table>
<caption>${caption}</caption>
<thead><tr>${columns.map((column) => html`<th scope="col"${classOf(column)}>${column.title}</th>`)}</tr></thead>
${bodies}
</table>
</div>
`;

export function tableRow(columns: readonly Column[], [name, ...cells]: Row): Html {
  const rest = cells.map((cell, index) => html`<td${classOf(columns[index + 1])}>${cell}</td>`);
  return html`<tr><th scope="row"${classOf(columns[0])}>${name}</th>${rest}</tr>
`;
}

const classOf = (column: Column | undefined): Html =>
  column?.isNumber === true ? new Html(' class="number"') : NOTHING;

/** "2026-11-22 06:02:11 UTC" */
export function moment(at: string): Html {
  const shown = `${at.slice(0, 19).replace('T', ' ')} UTC`;
  return html`<time datetime="${at}">${shown}</time>`;
}

/** Told by sign and word; the colour only repeats it. */
export const verdict = (isGood: boolean, words: string): Html =>
  html`<span class="${isGood ? 'good' : 'bad'}">${isGood ? '✔' : '✖'} ${words}</span>`;

export interface Figure {
  readonly name: string;
  readonly value: HtmlValue;
  readonly remark?: HtmlValue;
}

export const figures = (list: readonly Figure[]): Html =>
  html`<dl class="figures">
${list.map(
  ({ name, value, remark }) =>
    html`<div><dt>${name}</dt><dd>${value}${remark === undefined ? NOTHING : html` <small>${remark}</small>`}</dd></div>
`,
)}</dl>
`;
