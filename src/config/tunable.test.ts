import { expect, test } from 'vitest';
import { configKeys } from './schema-keys.ts';
import { parseTunable, TUNABLE_KEYS } from './tunable.ts';

test.each([
  ['copy.jobs=3', { copyJobs: 3 }],
  ['copy.jobs=default', { copyJobs: null }],
  ['copy.rateLimit=50MB/s', { copyRateLimitBytesPerSecond: 50 * 2 ** 20 }],
  ['copy.rateLimit = 1 kB', { copyRateLimitBytesPerSecond: 1024 }],
  ['throttle.maxWalRetained=40GB', { maxWalRetainedBytes: 40 * 2 ** 30 }],
])('%s', (text, change) => {
  expect(parseTunable(text)).toEqual(change);
});

test.each([
  'copy.jobs=0',
  'copy.jobs=1.5',
  'copy.jobs=',
  'copy.jobs',
  'copy.rateLimit=fast',
  'copy.rateLimit=0',
])('%s is refused with an example', (text) => {
  expect(() => parseTunable(text)).toThrow(
    expect.objectContaining({ code: 'bad_usage', hint: expect.stringContaining('For example') }),
  );
});

test.each(['copy.indexJobs=2', 'proxy.listen=1', '=1', '', 'constructor=1'])(
  '"%s" cannot be changed on the way',
  (text) => {
    expect(() => parseTunable(text)).toThrow(expect.objectContaining({ code: 'not_tunable' }));
  },
);

test('they are keys of the configuration', () => {
  expect(configKeys().map(({ path }) => path)).toEqual(expect.arrayContaining([...TUNABLE_KEYS]));
});
