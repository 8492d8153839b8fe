/** Stages, sentence, both servers and what is between them, guardrails, the last switch. */

import { byId, element, setChildren, setText } from './element.js';
import { formatBytes, formatCount, formatMs, formatTime } from './format.js';

const SIGNS = { done: '✔', running: '▶', waiting: '○', failed: '✖' };

export function showOverview(state) {
  const { status } = state;
  setText(byId('migration'), state.migration);
  document.title = titleOf(state);
  setText(byId('sentence'), state.sentence);
  showStages(state.stages);
  const problems = status?.problems ?? [];
  byId('problems').hidden = problems.length === 0;
  setChildren(byId('problems'), JSON.stringify(problems), () =>
    problems.map((text) => element('li', {}, text)),
  );
  if (status !== undefined) showRoute(status);
  showGuardrails(state);
  showLastSwitch(state.lastSwitch);
}

function titleOf({ migration, status }) {
  if (status === undefined) return `${migration} · pgglide`;
  const serving = ['new', 'aborted'].includes(status.phase)
    ? ''
    : ` · ${status.activeSide.toUpperCase()} serving`;
  return `${migration}: ${status.phase}${serving} · pgglide`;
}

function showStages(stages) {
  setChildren(byId('stages'), JSON.stringify(stages), () =>
    stages.map(({ title, state }) =>
      element(
        'li',
        { class: state, 'aria-current': state === 'running' ? 'step' : undefined },
        element('span', { 'aria-hidden': 'true' }, SIGNS[state]),
        ` ${title}`,
        element('span', { class: 'spoken' }, `, ${state}`),
      ),
    ),
  );
}

function showRoute(status) {
  const { link, activeSide, phase } = status;
  // In the copy nothing streams yet, and nothing is wrong.
  const hasStopped = link?.isStreaming === false && phase !== 'syncing';
  showServer('source', status);
  showServer('target', status);
  const arrow = byId('arrow');
  arrow.dataset.to = activeSide === 'source' ? 'target' : 'source';
  arrow.classList.toggle('idle', link === undefined);
  arrow.classList.toggle('stopped', hasStopped);
  const time = link?.lagMs === undefined ? '' : ` · ${formatMs(link.lagMs)}`;
  setText(byId('lag'), link?.lagBytes === undefined ? '' : `lag ${formatBytes(link.lagBytes)}${time}`);
  setText(byId('link'), linkText(status, hasStopped));
}

function linkText({ link, activeSide, phase }, hasStopped) {
  if (link === undefined) return 'no link';
  const way = activeSide === 'source' ? 'source to target' : 'target to source';
  if (hasStopped) return `${way}: not streaming`;
  return phase === 'syncing' ? `${way}: copying` : way;
}

function showServer(side, status) {
  const { version, address } = status[side];
  const role = roleOf(side, status);
  setChildren(byId(side), JSON.stringify([version, address, role]), () => [
    element(
      'h2',
      {},
      element('span', { class: 'side-name' }, side),
      ` PostgreSQL ${version ?? '?'}`,
      element('span', { class: `role ${role.replace(' ', '-')}` }, role),
    ),
    element('p', {}, address),
  ]);
}

function roleOf(side, { activeSide, link, phase }) {
  if (side === activeSide) return 'serving';
  if (phase === 'syncing') return 'being filled';
  if (link?.isStreaming) return 'following';
  return phase === 'completed' ? 'retired' : 'standing by';
}

function showGuardrails({ guardrails, status }) {
  setChildren(byId('guardrails'), JSON.stringify(guardrails), () =>
    guardrails.length === 0
      ? [element('li', { class: 'note' }, 'No switch is near.')]
      : guardrails.map(({ name, ok, detail }) =>
          element(
            'li',
            { class: ok ? 'ok' : 'bad' },
            element('span', { 'aria-hidden': 'true' }, ok ? '✔' : '▲'),
            element('span', {}, name, element('span', { class: 'spoken' }, ok ? ': met' : ': not met')),
            element('span', { class: 'detail' }, detail ?? ''),
          ),
        ),
  );
  setChildren(byId('next'), status?.next ?? '', () =>
    status?.next === undefined ? [] : ['Next: ', element('code', {}, status.next)],
  );
}

function showLastSwitch(last) {
  setChildren(byId('last-switch'), JSON.stringify(last ?? null), () => {
    if (last === undefined) return [element('dt', {}, 'None yet.')];
    const { waits } = last;
    return [
      ['what', `${last.direction} at ${formatTime(last.at)}`],
      ['requests held for', formatMs(last.pauseMs)],
      ['held', formatCount(waits.heldRequests)],
      ['longest wait', formatMs(waits.longestWaitMs)],
      ['p99 · p95 · p50', [waits.p99Ms, waits.p95Ms, waits.p50Ms].map(formatMs).join(' · ')],
      ['failed', formatCount(waits.failedRequests)],
    ].flatMap(([term, value]) => [element('dt', {}, term), element('dd', {}, value)]);
  });
}
