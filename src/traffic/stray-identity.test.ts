import { expect, test } from 'vitest';
import { strayIdentity } from './stray-identity.ts';

const expected = { migration: 'shop', clusters: { source: '15', target: '16' } };
const at = (source: string | undefined, target: string | undefined) => ({
  source: { address: 'old:5432', cluster: source },
  target: { address: 'new:5432', cluster: target },
});

test('the same servers, at whatever address, are ours', () => {
  expect(strayIdentity({ migration: 'shop', servers: at('15', '16') }, expected)).toBeUndefined();
});

test('what is not known speaks against nobody', () => {
  expect(strayIdentity({}, expected)).toBeUndefined();
  expect(strayIdentity({ migration: 'shop', servers: at(undefined, undefined) }, expected)).toBeUndefined();
});

test('another migration, another server, and sides the other way round are not', () => {
  expect(strayIdentity({ migration: 'billing', servers: at('15', '16') }, expected)).toBe(
    'serves migration "billing", not "shop"',
  );
  expect(strayIdentity({ migration: 'shop', servers: at('15', '17') }, expected)).toContain(
    'new:5432 as its target',
  );
  expect(strayIdentity({ migration: 'shop', servers: at('16', '15') }, expected)).toContain(
    'old:5432 as its source',
  );
});
