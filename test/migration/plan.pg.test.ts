import { expect } from 'vitest';
import { withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

test('plan tells every step and changes nothing', async ({ source, target }) => {
  await source.exec(
    'CREATE TABLE "Order" (id int PRIMARY KEY); CREATE SEQUENCE odd; CREATE UNLOGGED TABLE scratch (a int PRIMARY KEY)',
  );
  await withScene({ source, target }, async (scene) => {
    const { sections } = await scene.run((migration) => migration.plan());
    const text = sections
      .map(({ title, lines }) => [title, ...lines.map((line) => line.statement)].join('\n'))
      .join('\n');
    expect(text).toContain('public."Order"');
    expect(text).toContain('public.odd');
    expect(text).toContain('public.scratch');
    expect(text).toContain('CREATE SUBSCRIPTION');
    expect(text).toContain('LOCK TABLE (1 tables) IN EXCLUSIVE MODE on the source');
    const own = "SELECT 1 FROM pg_namespace WHERE nspname = 'pgglide'";
    expect([await source.rows(own), await target.rows(own)]).toEqual([[], []]);
  });
});
