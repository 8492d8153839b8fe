import { expect, test } from 'vitest';
import { activeSideIn, COMMANDS, PHASES, TRANSITIONS } from './phase.ts';

test('every phase answers every command, and a refusal says what to do', () => {
  for (const phase of PHASES) {
    for (const command of COMMANDS) {
      const answer = TRANSITIONS[phase][command];
      if (typeof answer === 'object') expect(answer.refused, `${phase} x ${command}`).toMatch(/\.$|pgglide/);
      else expect(['go', 'done']).toContain(answer);
    }
  }
});

test('the active side changes only by cutover and rollback', () => {
  for (const phase of PHASES) {
    const canCutOver = TRANSITIONS[phase].cutover === 'go';
    const canRollBack = TRANSITIONS[phase].rollback === 'go';
    expect(canCutOver && canRollBack).toBe(false);
    if (canCutOver) expect(activeSideIn(phase)).toBe('source');
    if (canRollBack) expect(activeSideIn(phase)).toBe('target');
  }
});

test('nothing that changes a server is possible once the migration is over', () => {
  for (const command of ['rehearse', 'cutover', 'rollback', 'verify'] as const) {
    expect(TRANSITIONS.completed[command]).toHaveProperty('refused');
    expect(TRANSITIONS.aborted[command]).toHaveProperty('refused');
  }
  expect(TRANSITIONS.switched.abort).toHaveProperty('refused');
});
