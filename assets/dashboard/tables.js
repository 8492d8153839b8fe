/** The list of tables: what is unfinished first, then the largest. */

import { byId, element, setText } from './element.js';
import { formatBytes, formatCount } from './format.js';

/** More rows than anybody reads; the filter finds the others. */
const MOST_SHOWN = 200;

let all = [];

export function startTables() {
  byId('filter').addEventListener('input', show);
  byId('unfinished').addEventListener('change', show);
}

export function setTables(tables) {
  all = tables.toSorted(
    (one, other) =>
      Number(one.fractionCopied === 1) - Number(other.fractionCopied === 1) || other.bytes - one.bytes,
  );
  show();
}

function show() {
  const wanted = byId('filter').value.toLowerCase();
  const onlyUnfinished = byId('unfinished').checked;
  const found = all.filter(
    ({ name, fractionCopied }) =>
      name.toLowerCase().includes(wanted) && (!onlyUnfinished || fractionCopied < 1),
  );
  byId('tables').replaceChildren(...found.slice(0, MOST_SHOWN).map(row));
  setText(byId('tables-title'), all.length === 0 ? 'Tables' : `Tables (${formatCount(all.length)})`);
  const hidden = found.length - MOST_SHOWN;
  setText(byId('tables-note'), noteOf(found.length, hidden));
}

function noteOf(count, hidden) {
  if (all.length === 0) return 'None are planned yet.';
  if (count === 0) return 'None is like that.';
  return hidden > 0 ? `and ${formatCount(hidden)} more: filter to find them` : '';
}

function row({ name, bytes, rowCount, fractionCopied, isEqual }) {
  return element(
    'tr',
    {},
    element('th', { scope: 'row' }, name),
    element('td', { class: 'number' }, formatBytes(bytes)),
    element('td', { class: 'number' }, formatCount(rowCount)),
    element('td', {}, bar(fractionCopied)),
    element('td', { class: isEqual === false ? 'bad' : 'ok' }, verdict(isEqual)),
  );
}

function bar(fraction) {
  const percent = `${Math.floor(fraction * 100)}%`;
  const fill = element('span', { class: 'fill' });
  fill.style.width = percent;
  return element(
    'span',
    { class: fraction === 1 ? 'bar full' : 'bar' },
    element('span', { class: 'track', 'aria-hidden': 'true' }, fill),
    element('span', {}, fraction === 1 ? 'done' : percent),
  );
}

const verdict = (isEqual) => (isEqual === undefined ? '' : isEqual ? '= equal' : '≠ differs');
