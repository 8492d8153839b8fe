import { expect, test } from 'vitest';
import { CustomSettings } from './custom-settings.ts';

const seenIn = (text: string): string[] => {
  const settings = new CustomSettings();
  const bytes = Buffer.from(`${text}\0set app.behind = 1`);
  settings.look(bytes, 0, Buffer.byteLength(text));
  return [...settings.names];
};

test.each([
  ["SET app.tenant = 'x'", ['app.tenant']],
  ["select set_config('app.tenant', 'x', false)", ['app.tenant']],
  ["INSERT INTO t VALUES (1); SET app.tenant = 'x'", ['app.tenant']],
  ["select 1; set session App.Tenant to 'x'", ['app.tenant']],
  ["begin; set local app.tenant = 'x'; commit", ['app.tenant']],
  ['RESET app.tenant', ['app.tenant']],
  ['select 1;', []],
  ['UPDATE t SET a = 1', []],
])('in "%s" are set: %j', (text, names) => {
  expect(seenIn(text)).toEqual(names);
});
