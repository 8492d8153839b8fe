import { expect, test } from 'vitest';
import { isCalm } from './calm.ts';

test('calm is five times in a row near the best', () => {
  expect(isCalm([])).toBe(false);
  expect(isCalm([4, 4, 4, 4])).toBe(false);
  expect(isCalm([4, 4, 5, 4, 6])).toBe(true);
  expect(isCalm([40, 30, 4, 5, 4, 6, 5])).toBe(true);
  expect(isCalm([4, 5, 4, 40, 5])).toBe(false);
});
