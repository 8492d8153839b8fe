import { DatabaseError } from 'pg';
import { describe, expect, test } from 'vitest';
import { RefusedError } from '../domain/errors.ts';
import type { MigrationEvent } from '../domain/event.ts';
import { EventStream } from './event-stream.ts';
import { reconcile } from './reconcile.ts';
import type { Action, Step, StepContext } from './step.ts';

function context(signal = new AbortController().signal) {
  const seen: MigrationEvent[] = [];
  const events = new EventStream((event) => seen.push(event));
  return { seen, context: { events, signal } as unknown as StepContext };
}

/** A step that counts to `goal`, one action at a time. */
function counting(
  goal: number,
  act: () => Promise<void> = async () => undefined,
): Step<number> & { count: number } {
  const step = {
    id: 'count',
    title: 'Count',
    count: 0,
    describe: () => [],
    observe: async () => ({ satisfied: step.count >= goal, facts: step.count }),
    actions: (): Action[] => [
      {
        on: 'both',
        does: 'count',
        run: async () => {
          await act();
          step.count++;
        },
      },
    ],
  };
  return step;
}

describe('reconcile', () => {
  test('acts until the step is satisfied, and then finds nothing to do', async () => {
    const { context: ctx, seen } = context();
    const step = counting(3);
    expect(await reconcile(step, ctx)).toBe('changed');
    expect(step.count).toBe(3);
    expect(await reconcile(step, ctx)).toBe('unchanged');
    expect(step.count).toBe(3);
    expect(seen.map((event) => event.type)).toEqual(['step-started', 'step-finished', 'step-finished']);
  });

  test('observes anew what an action has done until a deadlock', async () => {
    const { context: ctx } = context();
    const done: number[] = [];
    const deadlock = Object.assign(new DatabaseError('deadlock', 0, 'error'), { code: '40P01' });
    const step: Step<readonly number[]> = {
      id: 'two parts',
      title: 'Two parts',
      describe: () => [],
      observe: async () => ({ satisfied: done.length >= 2, facts: [1, 2].filter((n) => !done.includes(n)) }),
      actions: (_, open): Action[] => [
        {
          on: 'both',
          does: 'what is open',
          run: async () => {
            for (const n of open) {
              done.push(n);
              if (done.length === 1) throw deadlock;
            }
          },
        },
      ],
    };
    expect(await reconcile(step, ctx)).toBe('changed');
    expect(done).toEqual([1, 2]);
  });

  test('looks once only where the acting itself proves it', async () => {
    const { context: ctx } = context();
    let looks = 0;
    const step: Step<number> = {
      ...counting(1),
      isProvenByActing: true,
      observe: async () => ({ satisfied: false, facts: ++looks }),
    };
    expect(await reconcile(step, ctx)).toBe('changed');
    expect(looks).toBe(1);
  });

  test('tries again what failed on a lock, and only that', async () => {
    const { context: ctx } = context();
    let attempts = 0;
    const locked = Object.assign(new DatabaseError('locked', 0, 'error'), { code: '55P03' });
    const step = counting(1, async () => {
      if (++attempts < 2) throw locked;
    });
    expect(await reconcile(step, ctx)).toBe('changed');
    expect(attempts).toBe(2);
  });

  test('tells of a failure and throws it as it was', async () => {
    const { context: ctx, seen } = context();
    const refused = new RefusedError('no', 'No', {});
    await expect(
      reconcile(
        counting(1, () => Promise.reject(refused)),
        ctx,
      ),
    ).rejects.toBe(refused);
    expect(seen.at(-1)).toMatchObject({ type: 'step-failed', data: { step: 'count', code: 'no' } });
  });

  test('does nothing more once aborted', async () => {
    const controller = new AbortController();
    const { context: ctx } = context(controller.signal);
    const step = counting(5, async () => controller.abort(new Error('stop')));
    await expect(reconcile(step, ctx)).rejects.toThrow('stop');
    expect(step.count).toBe(1);
  });

  test('gives up on a step that does not come true in time', async () => {
    const { context: ctx } = context();
    const step: Step<undefined> = {
      id: 'wait',
      title: 'Wait',
      deadlineMs: 0,
      describe: () => [],
      observe: async () => ({ satisfied: false, facts: undefined, waitingFor: 'nothing' }),
      actions: () => [],
    };
    await expect(reconcile(step, ctx)).rejects.toMatchObject({ code: 'step_timeout' });
  });
});
