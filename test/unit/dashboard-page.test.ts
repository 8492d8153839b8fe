/** The page's files, as far as they can be judged without a browser. */

import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PAGE_HEADERS, readPageFiles } from '../../src/dashboard/page-files.ts';

const FOLDER = new URL('../../assets/dashboard/', import.meta.url);
const load = (name: string) => import(new URL(name, FOLDER).href);

test('every file of the page is served, and nothing else', () => {
  const served = readPageFiles().map(({ path }) => (path === '/' ? 'index.html' : path.slice(1)));
  expect(served.toSorted()).toEqual(readdirSync(FOLDER).toSorted());
});

test('nothing is read as HTML, nothing is inline, nothing comes from elsewhere', () => {
  for (const name of readdirSync(FOLDER)) {
    const text = readFileSync(new URL(name, FOLDER), 'utf8');
    expect(text, name).not.toMatch(
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function/,
    );
    if (name.endsWith('.svg')) continue;
    expect(text, name).not.toMatch(/(src|href|action)="(https?:)?\/\/|url\(|@import/);
    if (name === 'index.html') expect(text).not.toMatch(/<style|style="|\son\w+="|<script(?![^>]*src=)/);
  }
  expect(PAGE_HEADERS['content-security-policy']).not.toMatch(/unsafe|\*|https?:/);
});

describe('the parser of the stream', () => {
  test('finds the same messages however the body is cut', async () => {
    const { createParser } = await load('sse.js');
    const body =
      'event: state\ndata: {"a":1}\n\n: a comment\n\nevent: event\nid: 7\ndata: one\ndata: two\n\n';
    const whole = createParser()(body);
    expect(whole).toEqual([
      { event: 'state', id: undefined, data: '{"a":1}' },
      { event: 'event', id: '7', data: 'one\ntwo' },
    ]);
    fc.assert(
      fc.property(fc.array(fc.nat(body.length)), (cuts) => {
        const parse = createParser();
        const edges = [0, ...cuts.toSorted((one, other) => one - other), body.length];
        const found = edges.slice(1).flatMap((edge, index) => parse(body.slice(edges[index], edge)));
        expect(found).toEqual(whole);
      }),
    );
  });
});

test('numbers are written as the command line writes them', async () => {
  const { formatBytes, formatMs } = await load('format.js');
  expect([0, 1023, 1536, 5 * 1024 ** 3].map(formatBytes)).toEqual(['0 B', '1023 B', '1.5 kB', '5 GB']);
  expect([0.25, 40, 1500, 42_000, 3_900_000].map(formatMs)).toEqual([
    '0.3 ms',
    '40 ms',
    '1.5 s',
    '42 s',
    '1 h 5 min',
  ]);
});
