/** Results on stdout, everything else on stderr; text or JSON. */

import type { GlobalOptions } from './command.ts';

export interface Style {
  readonly color: boolean;
  readonly ascii: boolean;
}

export interface Stream {
  write(text: string): boolean;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

export interface Streams {
  readonly stdout: Stream;
  readonly stderr: Stream;
}

export class Output {
  readonly format: NonNullable<GlobalOptions['format']>;
  readonly isQuiet: boolean;
  readonly stdout: Stream;
  readonly stderr: Stream;
  readonly #global: GlobalOptions;
  readonly #env: Readonly<Record<string, string | undefined>>;

  constructor(global: GlobalOptions, env: Readonly<Record<string, string | undefined>>, streams: Streams) {
    this.#global = global;
    this.#env = env;
    this.format = global.format ?? 'text';
    this.isQuiet = global.quiet === true;
    this.stdout = streams.stdout;
    this.stderr = streams.stderr;
  }

  /** How to draw on a stream: colours only on a terminal that wants them. */
  styleOf(stream: Stream): Style {
    const refused = this.#global.color === false || Boolean(this.#env.NO_COLOR) || this.#env.TERM === 'dumb';
    const forced = Boolean(this.#env.FORCE_COLOR) && this.#env.FORCE_COLOR !== '0';
    return { color: !refused && (forced || stream.isTTY === true), ascii: this.#global.ascii === true };
  }

  /** The command's result: the value as JSON where that was asked for, its text otherwise. */
  result(value: unknown, text: (style: Style) => string): void {
    if (this.format === 'text') this.print(text(this.styleOf(this.stdout)));
    else if (this.format === 'json') this.print(JSON.stringify(value, undefined, 2));
    else this.print(JSON.stringify({ type: 'result', data: value }));
  }

  /** What must leave the screen before anything is written to it. */
  beforeWriting: () => void = () => undefined;

  /** A line (or several) on stdout. */
  print(text: string): void {
    this.beforeWriting();
    if (text !== '') this.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  /** A remark on stderr; silent with --quiet. */
  note(text: string): void {
    if (this.isQuiet) return;
    this.beforeWriting();
    this.stderr.write(`${text}\n`);
  }

  /** Shown even with --quiet. */
  warn(text: string): void {
    this.beforeWriting();
    this.stderr.write(`warning: ${text}\n`);
  }
}
