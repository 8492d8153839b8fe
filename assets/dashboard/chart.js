/** A line over the last minutes, with a limit and marks where traffic was switched. */

import { element, setText } from './element.js';

const SVG = 'http://www.w3.org/2000/svg';
const LONGEST_MS = 300_000;
const SHORTEST_MS = 60_000;
const WIDTH = 600;
const HEIGHT = 100;

const svg = (tag, attributes) => {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
};

/** `value(sample)` may be undefined: a gap. `limit(state)`: where a line is drawn, if anywhere near. */
export class Chart {
  constructor({ title, value, format, limit = () => undefined }) {
    Object.assign(this, { value, format, limit });
    this.now = element('span', { class: 'now' });
    this.top = element('span', { class: 'top' });
    this.begin = element('span', {});
    this.bound = element('span', { class: 'bound' });
    this.plot = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });
    this.node = element(
      'figure',
      { class: 'card chart' },
      element('figcaption', {}, element('span', {}, title), this.now),
      element('div', { class: 'plot' }, this.plot, this.top),
      element(
        'div',
        { class: 'axis' },
        element('span', {}, '5 min ago'),
        this.bound,
        element('span', {}, 'now'),
      ),
    );
    this.title = title;
  }

  draw(samples, state, marks) {
    const nowMs = samples.at(-1)?.atMs ?? 0;
    const windowMs = windowOf(samples, nowMs);
    const seen = samples.filter(({ atMs }) => atMs > nowMs - windowMs);
    const values = seen.map(this.value);
    const last = values.at(-1);
    const limit = this.limit(state);
    const highest = Math.max(0, ...values.filter((value) => value !== undefined));
    // A limit that is far away would flatten the line: it is then said, and not drawn.
    const isNear = limit !== undefined && highest > limit / 20;
    const top = Math.max(highest, isNear ? limit : 0) * 1.1 || 1;
    const x = (atMs) => WIDTH - ((nowMs - atMs) / windowMs) * WIDTH;
    const y = (value) => HEIGHT - (value / top) * (HEIGHT - 4) - 2;
    const shapes = runs(seen, values).flatMap((run) => line(run.map(([atMs, value]) => [x(atMs), y(value)])));
    if (isNear) shapes.push(svg('line', { class: 'limit', x1: 0, x2: WIDTH, y1: y(limit), y2: y(limit) }));
    for (const atMs of marks.filter((mark) => mark > nowMs - windowMs)) {
      shapes.push(svg('line', { class: 'mark', x1: x(atMs), x2: x(atMs), y1: 0, y2: HEIGHT }));
    }
    this.plot.replaceChildren(...shapes);
    const text = last === undefined ? '–' : this.format(last);
    this.plot.setAttribute('aria-label', `${this.title}: now ${text}, highest ${this.format(highest)}`);
    setText(this.begin, `${Math.round(windowMs / 60_000)} min ago`);
    setText(this.now, text);
    setText(this.top, highest > 0 ? this.format(highest) : '');
    setText(this.bound, limit === undefined ? '' : `limit ${this.format(limit)}`);
  }
}

/** Whole minutes, as many as there are points for. */
function windowOf(samples, nowMs) {
  const age = nowMs - (samples[0]?.atMs ?? nowMs);
  return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, Math.ceil(age / 60_000) * 60_000));
}

/** Where nothing was known the line is broken. */
function runs(samples, values) {
  const all = [[]];
  samples.forEach(({ atMs }, index) => {
    const previous = samples[index - 1];
    if (values[index] === undefined || (previous !== undefined && atMs - previous.atMs > 5000)) all.push([]);
    if (values[index] !== undefined) all.at(-1).push([atMs, values[index]]);
  });
  return all.filter((run) => run.length > 0);
}

function line(points) {
  const path = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
  const [first] = points;
  const last = points.at(-1);
  return [
    svg('polygon', {
      class: 'area',
      points: `${first[0].toFixed(1)},${HEIGHT} ${path} ${last[0].toFixed(1)},${HEIGHT}`,
    }),
    svg('polyline', { class: 'line', points: path }),
  ];
}
