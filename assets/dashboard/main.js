/** The page: what comes down the stream goes to the part that shows it. */

import { Chart } from './chart.js';
import { byId, setText } from './element.js';
import { addEvent, clearEvents, switchTimes } from './events.js';
import { formatBytes, formatCount, formatMs } from './format.js';
import { showOverview } from './overview.js';
import { readStream } from './stream.js';
import { setTables, startTables } from './tables.js';
import { startTheme } from './theme.js';
import { keepToken, takeToken } from './token.js';

/** What is older is said to be. */
const STALE_MS = 3000;
const KEPT_MS = 600_000;

const charts = [
  new Chart({ title: 'Lag', value: ({ lagBytes }) => lagBytes, format: formatBytes }),
  new Chart({
    title: 'WAL held',
    value: ({ retainedWalBytes }) => retainedWalBytes,
    format: formatBytes,
    limit: (state) => state?.status?.link?.walLimitBytes,
  }),
  new Chart({
    title: 'Requests/s',
    value: ({ requestsPerSecond }) => requestsPerSecond,
    format: formatCount,
  }),
  new Chart({ title: 'Requests waiting', value: ({ heldNow }) => heldNow, format: formatCount }),
];

let samples = [];
let state;
let heardAtMs = performance.now();

const receive = {
  samples: (all) => {
    samples = all;
  },
  state: (latest) => {
    state = latest;
    keepSample(latest.now);
    byId('content').hidden = false;
    byId('login').hidden = true;
    showOverview(latest);
    for (const chart of charts) chart.draw(samples, latest, switchTimes);
  },
  tables: setTables,
  event: addEvent,
  anew: clearEvents,
};

function keepSample(sample) {
  if (sample === undefined || sample.atMs === samples.at(-1)?.atMs) return;
  samples = [...samples.filter(({ atMs }) => atMs > sample.atMs - KEPT_MS), sample];
}

/** How old what is shown is: the dashboard may be away, or the servers. */
function showAge() {
  const silentMs = performance.now() - heardAtMs;
  const isAway = silentMs > STALE_MS;
  const ageMs = silentMs + (state?.ageMs ?? 0);
  const isStale = ageMs > STALE_MS || isAway;
  document.body.classList.toggle('stale', isStale && byId('login').hidden);
  setText(byId('live-text'), liveText(isStale, isAway, ageMs));
  const banner = byId('banner');
  const text = bannerText(isAway, silentMs);
  banner.hidden = text === '' || !byId('login').hidden;
  setText(banner, text);
}

function liveText(isStale, isAway, ageMs) {
  if (state === undefined) return isAway ? 'not connected' : 'connecting';
  if (state.ageMs === undefined) return 'waiting';
  return isStale ? `${formatMs(Math.floor(ageMs / 1000) * 1000)} old` : `live ${(ageMs / 1000).toFixed(1)} s`;
}

function bannerText(isAway, silentMs) {
  if (isAway)
    return `The dashboard has said nothing for ${formatMs(Math.floor(silentMs / 1000) * 1000)}. Trying again.`;
  if (state?.problem !== undefined) return `The servers cannot be asked: ${state.problem}. Trying again.`;
  return '';
}

/** Resolves when the reader has given one. */
function askForToken() {
  byId('login').hidden = false;
  byId('content').hidden = true;
  byId('token').focus();
  return new Promise((resolve) => {
    byId('login').addEventListener(
      'submit',
      (submitted) => {
        submitted.preventDefault();
        const token = byId('token').value.trim();
        keepToken(token);
        resolve(token);
      },
      { once: true },
    );
  });
}

startTheme(byId('theme'));
startTables();
byId('charts').append(...charts.map(({ node }) => node));
setInterval(showAge, 250);
void readStream({
  token: takeToken(),
  askForToken,
  onMessage: (event, data) => {
    heardAtMs = performance.now();
    receive[event]?.(data);
  },
});
