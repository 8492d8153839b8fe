import { describe, expect, test } from 'vitest';
import { renderSettings } from './settings.ts';

describe('settings of an embedded server', () => {
  test('are ready for logical replication, durable, and reachable from this machine only', () => {
    const conf = renderSettings({}, 15001);
    expect(conf).toContain("wal_level = 'logical'\n");
    expect(conf).toContain("listen_addresses = '127.0.0.1'\n");
    expect(conf).toContain("unix_socket_directories = '.'\n");
    expect(conf).toContain("port = '15001'\n");
    expect(conf).not.toContain('fsync');
  });

  test('of the caller win over ours', () => {
    const conf = renderSettings({ wal_level: 'replica', fsync: 'off' }, 15001);
    expect(conf).toContain("wal_level = 'replica'\n");
    expect(conf).not.toContain("logical'");
    expect(conf).toContain("fsync = 'off'\n");
  });

  test('keep quotes and backslashes', () => {
    expect(renderSettings({ 'app.note': "it's \\ here" }, 1)).toContain("app.note = 'it''s \\\\ here'\n");
  });

  test.each([
    ['listen_addresses', '*'],
    ['port', '5432'],
    ["x = '1'\nport", '5432'],
  ])('refuse %s', (name, value) => {
    expect(() => renderSettings({ [name]: value }, 1)).toThrow();
  });

  test('refuse a value of two lines', () => {
    expect(() => renderSettings({ work_mem: "1MB'\nfsync = 'off" }, 1)).toThrow('one line');
  });
});
