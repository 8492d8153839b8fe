import { expect, test } from 'vitest';
import { laneNames, linkFrom, memberName, publisherOf, qualified, subscriberOf } from './names.ts';

test('slot names keep to what PostgreSQL allows, whatever the migration is called', () => {
  for (const name of ['shop', 'Shop 15 → 16', 'x'.repeat(200), '"; DROP', '']) {
    const { slot } = laneNames(name, 'reverse', 12);
    expect(slot).toMatch(/^[a-z0-9_]{1,63}$/);
  }
});

test('migrations whose readable heads are alike do not share a slot', () => {
  expect(laneNames('shop-a', 'forward', 1).slot).not.toBe(laneNames('shop_a', 'forward', 1).slot);
  expect(laneNames('shop', 'forward', 1).slot).not.toBe(laneNames('shop', 'reverse', 1).slot);
  expect(laneNames('shop', 'forward', 1).slot).not.toBe(laneNames('shop', 'forward', 2).slot);
});

test('databases that move together have slots of their own, which name them', () => {
  const [billing, archive] = ['billing', 'archive'].map(
    (name) => laneNames(memberName('shop-15-to-16-in-the-autumn', name), 'forward', 1).slot,
  );
  expect(billing).toContain('billing');
  expect(billing).not.toBe(archive);
  const long = laneNames(memberName('m'.repeat(80), 'd'.repeat(63)), 'reverse', 9999).slot;
  expect(long).toMatch(/^[a-z0-9_]{1,63}$/);
});

test('shown names are unambiguous', () => {
  expect(qualified({ schema: 'public', name: 'orders' })).toBe('public.orders');
  expect(qualified({ schema: 'a.b', name: 'c' })).not.toBe(qualified({ schema: 'a', name: 'b.c' }));
  expect(qualified({ schema: 'public', name: 'Say "hi"' })).toBe('public."Say ""hi"""');
});

test('a link leads from its publisher to its subscriber', () => {
  expect([publisherOf('forward'), subscriberOf('forward')]).toEqual(['source', 'target']);
  expect([publisherOf('reverse'), subscriberOf('reverse')]).toEqual(['target', 'source']);
  expect(linkFrom('source')).toBe('forward');
  expect(linkFrom('target')).toBe('reverse');
});
