import { expect, test } from 'vitest';
import { SwitchoverAbortedError } from '../domain/errors.ts';
import type { Switchover, SwitchoverStep } from '../engine/switchover-step.ts';
import { runStep } from './each-database.ts';

const databases = ['shop', 'billing'].map((database) => ({ oldSide: { address: { database } } }));

test('a failure that ends the other steps and databases, too, names its own database once', async () => {
  const failed = new AbortController();
  const step = (run: (database: string) => void) =>
    ({
      run: async ({ oldSide }) => run(oldSide.address.database),
    }) as Pick<SwitchoverStep, 'run'> as SwitchoverStep;
  const finds = step((database) => {
    if (database === 'billing') throw new SwitchoverAbortedError('schema_drift', 'DDL was run');
  });
  const waits = step(() => failed.signal.throwIfAborted());
  const switchover = { databases } as unknown as Switchover;
  await runStep(finds, switchover).catch((error: unknown) => failed.abort(error));
  await expect(runStep(waits, switchover)).rejects.toThrow(/^billing: DDL was run$/);
});
