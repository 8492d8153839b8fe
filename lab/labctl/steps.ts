/** Named steps with their times, as setup shows them. */

export type StepResult = 'done' | 'already there';

export interface Step {
  readonly title: string;
  run(): Promise<StepResult>;
}

export async function runSteps(steps: readonly Step[]): Promise<void> {
  for (const [index, { title, run }] of steps.entries()) {
    const started = performance.now();
    const result = await run();
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const note = result === 'done' ? `${seconds.padStart(6)} s` : '  there already';
    console.log(`[${index + 1}/${steps.length}] ${title.padEnd(62)}${note}`);
  }
}
