/** A schema of ours that an earlier version installed is brought up to date. */

import { expect } from 'vitest';
import { test } from '../../test/support/fixture.ts';
import { installFile, missingFiles } from './install.ts';
import { readRecordedClass, readSchemaHashes } from './schema-record.ts';

test('a schema record in one value is kept, class by class', async ({ target }) => {
  const files = await missingFiles(target.connection, 'target');
  const before = files.filter((file) => file < 'state-004.sql');
  for (const file of before) await installFile(target.connection, file);
  await target.exec(`INSERT INTO pgglide.migration (name, phase, active_side, epoch, source_system_identifier, target_system_identifier)
      VALUES ('m', 'following', 'source', 1, '1', '2');
    INSERT INTO pgglide.schema_record (migration, side, objects) VALUES
      ('m', 'source', '{"majorVersion": 15, "hash": "aa", "classes": {"tables": {"t": "1"}, "views": {}}}'),
      ('m', 'target', '{"majorVersion": 16, "hash": "bb", "classes": {"tables": {"t": "2"}, "views": {}}}')`);
  for (const file of await missingFiles(target.connection, 'target'))
    await installFile(target.connection, file);
  expect(await missingFiles(target.connection, 'target')).toEqual([]);
  expect(await readSchemaHashes(target.connection, 'm')).toEqual({ source: 'aa', target: 'bb' });
  expect(await readRecordedClass(target.connection, 'm', 'tables')).toEqual({
    source: { t: '1' },
    target: { t: '2' },
  });
  expect(await readRecordedClass(target.connection, 'm', 'nothing')).toEqual({ source: {}, target: {} });
});
