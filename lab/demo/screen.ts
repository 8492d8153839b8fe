/** What the demo shows: one line a finished act, and while one runs, what it says last. */

import pc from 'picocolors';
import { equalTables, type Figures, type SwitchOutput, type VerificationOutput } from './figures.ts';

const mark = pc.green('✔');

const equalOf = (verification: VerificationOutput): string =>
  `${equalTables(verification)}/${verification.tables.length} tables equal`;

export class Screen {
  readonly #isLive = process.stdout.isTTY === true;

  line(text: string): void {
    this.#clear();
    console.log(text);
  }

  done(text: string): void {
    this.line(`${mark} ${text}`);
  }

  note(text: string): void {
    this.line(pc.dim(`  ${text}`));
  }

  fail(text: string): void {
    this.#clear();
    console.error(`${pc.red('✖')} ${text}`);
  }

  count(number: number): string {
    return Math.round(number).toLocaleString('en').replaceAll(',', ' ');
  }

  /** Shows the act, and on a terminal what it says last, until it is over. */
  async during<T>(act: string, work: (tell: (line: string) => void) => Promise<T>): Promise<T> {
    const show = (line: string) => {
      if (!this.#isLive) return;
      const width = (process.stdout.columns || 80) - 1;
      process.stdout.write(`\r\x1b[2K${pc.dim(`… ${act}  ${line}`.slice(0, width))}`);
    };
    show('');
    try {
      return await work(show);
    } finally {
      this.#clear();
    }
  }

  /** One line for a command of ours that succeeded. */
  command(name: string, output: unknown): void {
    switch (name) {
      case 'check': {
        this.done('check: nothing in the way');
        break;
      }
      case 'sync':
        this.done('sync: copied, and following');
        break;
      case 'verify': {
        const { summary } = output as { summary: VerificationOutput };
        this.done(`verify: ${equalOf(summary)}, under load, ${summary.seconds.toFixed(1)} s`);
        break;
      }
      case 'rehearse':
      case 'cutover':
      case 'rollback': {
        // A rehearsal switches nothing, so there is nothing to compare.
        const { summary, verification } = output as Pick<SwitchOutput, 'summary'> & Partial<SwitchOutput>;
        const compared = verification === undefined ? '' : `, then ${equalOf(verification)}`;
        this.done(`${name}: requests held for ${summary.pauseMs.toFixed(0)} ms${compared}`);
        break;
      }
    }
  }

  verdict(figures: Figures): void {
    const { copy, writes, requests } = figures;
    const rate = copy.bytes / 1e6 / copy.seconds;
    this.line('');
    this.done(
      `copied ${this.count(copy.rows)} rows of ${copy.tables} tables in ${copy.seconds.toFixed(1)} s (${rate.toFixed(0)} MB/s)`,
    );
    for (const { direction, requests: sent, failed, longestWaitMs, pauseMs } of figures.switchovers) {
      this.done(
        `${direction}: held ${pauseMs.toFixed(0)} ms, longest wait ${longestWaitMs.toFixed(0)} ms, failed requests ${failed} of ${sent}`,
      );
    }
    const { medianOfLongestMs, longestWaitMs } = figures.between;
    this.note(
      `between the switches, a second’s longest wait: ${medianOfLongestMs.toFixed(0)} ms in the median, ${longestWaitMs.toFixed(0)} ms at most`,
    );
    const isWhole = writes.lost + writes.doubled + writes.unknown === 0;
    this.line(
      `${isWhole ? mark : pc.red('✖')} ${this.count(writes.acknowledged)} acknowledged writes: ${writes.lost} lost, ${writes.doubled} doubled, ${writes.unknown} unknown, on both sides`,
    );
    this.line(
      `${requests.failed === 0 ? mark : pc.red('✖')} ${this.count(requests.total)} requests, ${requests.failed} failed, in ${figures.seconds.toFixed(0)} s`,
    );
    for (const problem of figures.problems) this.fail(problem);
  }

  kept(lines: readonly string[]): void {
    this.line(
      `\nEverything is still running. Ctrl-C ends it and removes its folder.\n  ${lines.join('\n  ')}`,
    );
  }

  #clear(): void {
    if (this.#isLive) process.stdout.write('\r\x1b[2K');
  }
}
