import { expect } from 'vitest';
import { test } from '../../test/support/fixture.ts';
import { awaitMarkers, createMarkerSql, writeMarkers } from './marker.ts';

const LANES = ['one', 'two'].map((name) => ({ schema: 'public', name }));

test('a lane without its row has not arrived, whatever the others have', async ({ source }) => {
  const { connection } = source;
  for (const lane of LANES) await connection.script(createMarkerSql(lane));
  const arrived = () => awaitMarkers(connection, LANES, 'a', { timeoutMs: 0, intervalMs: 10 });
  await writeMarkers(connection, LANES, 'a');
  expect(await arrived()).toMatch(/^\d+\/[\dA-F]+$/i);
  await source.exec('DELETE FROM two');
  expect(await arrived()).toBeUndefined();
});
