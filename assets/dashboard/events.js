/** What happened, the newest first. */

import { byId, element } from './element.js';
import { formatTime } from './format.js';

const MOST_SHOWN = 300;

/** When traffic went from one side to the other, for the charts. */
export const switchTimes = [];

export function addEvent({ event, lines }) {
  if (event.type === 'switchover-finished' && event.data.direction !== 'rehearsal') {
    switchTimes.push(Date.parse(event.data.resumedAt ?? event.at));
  }
  if (lines.length === 0) return;
  const list = byId('events');
  list.prepend(
    element(
      'li',
      { class: event.type },
      element('time', { datetime: event.at }, formatTime(event.at)),
      element('span', {}, lines.join('\n')),
    ),
  );
  while (list.children.length > MOST_SHOWN) list.lastElementChild.remove();
}

export function clearEvents() {
  byId('events').replaceChildren();
  switchTimes.length = 0;
}
