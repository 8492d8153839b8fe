import { describe, expect, test } from 'vitest';
import type { CopyProgress, EventMap, EventType, MigrationEvent, StepTime } from '../domain/event.ts';
import { eventLines } from './event-line.ts';
import { journalText } from './journal-text.ts';
import { liveBlock } from './live-block.ts';
import { logObserver } from './log.ts';
import { plainObserver } from './plain.ts';
import { plainLine } from './plain-line.ts';
import { printable } from './printable.ts';
import { fitToWidth, painter, visibleWidth } from './style.ts';
import { terminalObserver } from './terminal.ts';
import { EMPTY_VIEW, foldView, type View } from './view.ts';

const PLAIN = { color: false, ascii: false };
const GB = 1024 ** 3;
const START = Date.parse('2026-11-22T06:00:00.000Z');

const event = <K extends EventType>(type: K, data: EventMap[K], atMs = START): MigrationEvent =>
  ({ type, at: new Date(atMs).toISOString(), data }) as MigrationEvent;
const fold = (events: readonly MigrationEvent[]): View => events.reduce(foldView, EMPTY_VIEW);

const copying = (orders: number): CopyProgress => ({
  bytes: 25.7 * GB,
  totalBytes: 42.1 * GB,
  rows: 1_234_567,
  tablesDone: 71,
  tables: 118,
  running: [
    { table: 'public.orders', bytes: orders, totalBytes: 12.3 * GB, rows: 1, partsDone: 5, parts: 8 },
    {
      table: 'public.a_table_with_a_name_that_is_far_too_long_for_any_screen_at_all',
      bytes: 7 * GB,
      totalBytes: 13.4 * GB,
      rows: 1,
      partsDone: 0,
      parts: 1,
    },
  ],
  bytesPerSecond: 67_174_564,
  elapsedMs: 401_000,
});
const EVENTS = [
  event('phase-changed', { from: 'new', to: 'syncing' }),
  event('step-started', { step: 'copy-tables', title: 'Copy all tables' }),
  event('copy-progress', copying(9 * GB), START + 1000),
  event('copy-progress', copying(9.04 * GB), START + 2000),
  event('index-progress', { done: 0, total: 231, running: [] }),
  event('lag-sampled', { lagBytes: 1.2 * GB, lagMs: undefined, retainedWalBytes: 1.2 * GB }),
];
const block = (view: View, width: number, style = PLAIN) =>
  liveBlock(view, {
    migration: 'shop-15-to-16',
    nowMs: START + 401_000,
    width,
    height: 40,
    walLimitBytes: 20 * GB,
    paint: painter(style),
  });

describe('the live block', () => {
  test('shows phase, time left, running tables with rates, and the WAL kept for us', () => {
    const lines = block(fold(EVENTS), 120).join('\n');
    expect(lines).toContain('shop-15-to-16   COPYING   elapsed 06:41   ETA 04:22');
    expect(lines).toContain('▶ Copy all tables');
    expect(lines).toContain('copy 61%   25.7/42.1 GB   64.1 MB/s   1 234 567 rows');
    expect(lines).toMatch(/public\.orders +█+░+ +73% +9\.0\/12\.3 GB +41\.0 MB\/s {2}part 6\/8/);
    expect(lines).toContain('71 done, 45 waiting');
    expect(lines).toContain('indexes 0/231 · lag 1.2 GB · WAL kept for us 1.2 GB (limit 20 GB)');
  });

  test.each([79, 60, 40, 20])('never wider than %d columns', (width) => {
    for (const line of block(fold(EVENTS), width)) expect(visibleWidth(line)).toBeLessThanOrEqual(width);
  });

  test('leaves half of a small screen alone', () => {
    const running = Array.from({ length: 30 }, (_, index) => ({
      table: `public.t${index}`,
      bytes: 1,
      totalBytes: 2,
      rows: 1,
      partsDone: 0,
      parts: 1,
    }));
    const view = fold([event('copy-progress', { ...copying(1), running })]);
    const options = {
      migration: 'm',
      nowMs: START,
      width: 80,
      walLimitBytes: undefined,
      paint: painter(PLAIN),
    };
    expect(liveBlock(view, { ...options, height: 20 }).length).toBeLessThanOrEqual(10);
    expect(liveBlock(view, { ...options, height: 20 }).join()).toContain('24 more running');
  });

  test('is plain ASCII when asked', () => {
    for (const line of block(fold(EVENTS), 100, { color: false, ascii: true }))
      expect(line).toMatch(/^[ -~]*$/);
  });
});

test('one line without a terminal', () => {
  expect(plainLine(fold(EVENTS))).toBe(
    'Copy: 25.7/42.1 GB 61.0%; Tables: 71/118; Idx: 0/231; Lag: 1.2GB; State: copying; ETA: 4m22s',
  );
  expect(plainLine(EMPTY_VIEW)).toBe('');
});

test('plain output tells progress at most every five seconds of the events’ time', () => {
  const lines: string[] = [];
  const observer = plainObserver({ write: (text) => lines.push(text) > 0 }, PLAIN);
  for (let second = 0; second <= 12; second++) {
    observer.onEvent(
      event('copy-progress', { ...copying(second), bytes: second * GB }, START + second * 1000),
    );
  }
  observer.onEvent(event('step-finished', { step: 'x', title: 'Copy', outcome: 'changed', ms: 1234 }));
  observer.close();
  expect(lines.filter((line) => line.startsWith('Copy:'))).toHaveLength(3);
  expect(lines.at(-1)).toBe('✔ Copy   1.2 s\n');
  expect(lines.join('')).not.toContain('\x1b');
});

test('the log is the events', () => {
  const lines: string[] = [];
  const observer = logObserver({ write: (text) => lines.push(text) > 0 });
  for (const each of EVENTS) observer.onEvent(each);
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(JSON.parse(JSON.stringify(EVENTS)));
});

test('a terminal, also one that does not know its size, is left without the live block, with what is final', () => {
  const screen = Object.assign(new Screen(), { columns: 0, rows: 0 });
  const observer = terminalObserver(screen, { migration: 'm', walLimitBytes: undefined, style: PLAIN });
  for (const each of EVENTS) observer.onEvent(each);
  observer.onEvent(
    event('step-finished', { step: 'copy-tables', title: 'Copy all', outcome: 'changed', ms: 10 }),
  );
  expect(screen.lines.join('\n')).toContain('COPYING   elapsed');
  observer.clear();
  screen.write('a result\n');
  observer.close();
  expect(screen.lines).toEqual(['▶ syncing', '✔ Copy all   10 ms', 'a result', '']);
});

/** Enough of a terminal: cursor up, carriage return, clear below, newline. */
class Screen {
  columns = 80;
  rows = 24;
  lines = [''];
  write(text: string): boolean {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal is told
    for (const [part] of text.matchAll(/\x1b\[(\d*)[AJ]|\r|\n|[^\x1b\r\n]+/g)) this.take(part);
    return true;
  }
  private row = 0;
  private take(part: string): void {
    if (part.endsWith('A') && part.startsWith('\x1b')) this.row -= Number(part.slice(2, -1));
    else if (part === '\x1b[J') this.lines = [...this.lines.slice(0, this.row), ''];
    else if (part === '\n') {
      this.row += 1;
      this.lines[this.row] ??= '';
    } else if (part !== '\r') this.lines[this.row] = part;
  }
}

describe('a switchover', () => {
  test('has numbered steps with the time since the first request waited, also of those that ran at once and were told later', () => {
    const steps: StepTime[] = [
      { id: 'check', title: 'guardrails', ms: 40, paused: false, note: 'lag 9 kB' },
      { id: 'pause', title: 'hold new queries', ms: 4, paused: true, heldMs: 4, note: '3/3 proxies' },
      { id: 'a', title: 'one', ms: 30, paused: true, heldMs: 34 },
      { id: 'b', title: 'another', ms: 31, paused: true, heldMs: 35 },
      { id: 'fence', title: 'fence the old side', ms: 3, paused: false },
    ];
    const lines: string[] = [];
    const observer = plainObserver({ write: (text) => lines.push(text) > 0 }, PLAIN);
    for (const step of steps) observer.onEvent(event('switchover-step', { direction: 'cutover', step }));
    expect(lines.map((line) => line.replace(/ +/g, ' ').trimEnd())).toEqual([
      ' 1 guardrails ✔ 40 ms lag 9 kB',
      ' 2 hold new queries ✔ +0.004 s 3/3 proxies',
      ' 3 one ✔ +0.034 s',
      ' 4 another ✔ +0.035 s',
      ' 5 fence the old side ✔ 3 ms',
    ]);
  });

  test('given up says that traffic is where it was', () => {
    const lines = eventLines(
      event('switchover-aborted', {
        direction: 'cutover',
        step: 'drain-replication',
        code: 'link_too_slow',
        message: '3 MB behind',
        pauseMs: 2012,
      }),
      EMPTY_VIEW,
      painter(PLAIN),
    );
    expect(lines.join('\n')).toMatch(
      /✖ cutover given up.*3 MB behind \(link_too_slow\)\n.*went on where they were/,
    );
  });
});

test('the journal as text has a line an event, none for samples', () => {
  const text = journalText(
    [...EVENTS, event('warning', { code: 'w', message: 'mind this', hint: 'do that' })],
    PLAIN,
  );
  expect(text.split('\n')).toEqual([
    '2026-11-22 06:00:00  ▶ syncing',
    '2026-11-22 06:00:00  ▲ mind this   w',
    `${' '.repeat(21)}    do that`,
  ]);
  expect(journalText([], PLAIN)).toBe('Nothing has happened yet.');
});

describe('style', () => {
  test('names from a database cannot steer the terminal', () => {
    expect(printable('a\x1b[2Jb\nc\u202ed')).toBe('a?[2Jb?c?d');
  });

  test('colours take no room, and a cut line has none', () => {
    const red = painter({ color: true, ascii: false }).red('12345');
    expect(visibleWidth(red)).toBe(5);
    expect(fitToWidth(red, 5, '…')).toBe(red);
    expect(fitToWidth(red, 4, '…')).toBe('123…');
  });

  test('a bar is as wide as it should be', () => {
    const { bar } = painter(PLAIN);
    expect([bar(0, 4), bar(0.5, 4), bar(1, 4), bar(7, 4)]).toEqual(['░░░░', '██░░', '████', '████']);
  });
});
