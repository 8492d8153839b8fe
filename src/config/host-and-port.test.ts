import { expect, test } from 'vitest';
import { hostAndPort, inUrl, isLoopback } from './host-and-port.ts';

test.each([
  ['127.0.0.1:8433', { host: '127.0.0.1', port: 8433 }],
  [':8433', { host: '127.0.0.1', port: 8433 }],
  ['[::1]:0', { host: '::1', port: 0 }],
])('%s', (text, address) => {
  expect(hostAndPort(text)).toEqual(address);
});

test.each(['8433', 'host', 'a:b', '::1:80', 'host:70000', ''])('"%s" is no address', (text) => {
  expect(() => hostAndPort(text)).toThrow(expect.objectContaining({ code: 'bad_address', exitCode: 2 }));
});

test('a URL puts IPv6 into brackets', () => {
  expect(inUrl({ host: '::1', port: 80 })).toBe('[::1]:80');
  expect(inUrl({ host: 'localhost', port: 80 })).toBe('localhost:80');
});

test.each([
  ['localhost', true],
  ['127.0.0.1', true],
  ['127.8.8.8', true],
  ['::1', true],
  ['0.0.0.0', false],
  ['::', false],
  ['127.0.0.1.example', false],
  ['10.0.0.1', false],
])('%s is of this machine: %s', (host, own) => {
  expect(isLoopback(host)).toBe(own);
});
