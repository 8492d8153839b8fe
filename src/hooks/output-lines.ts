/** A program's output as lines for people: bounded, whatever it writes. */

import { StringDecoder } from 'node:string_decoder';
import { printable } from '../observers/printable.ts';

const MAX_LINES = 200;
const MAX_LENGTH = 500;

interface Unfinished {
  readonly decoder: StringDecoder;
  text: string;
}

export class OutputLines {
  readonly #tell: (line: string) => void;
  readonly #unfinished: Readonly<Record<'stdout' | 'stderr', Unfinished>> = {
    stdout: { decoder: new StringDecoder('utf8'), text: '' },
    stderr: { decoder: new StringDecoder('utf8'), text: '' },
  };
  #told = 0;
  #last = '';

  constructor(tell: (line: string) => void) {
    this.#tell = tell;
  }

  /** The last line that was not empty; often the reason of a failure. */
  get last(): string {
    return this.#last;
  }

  add(chunk: Buffer, stream: 'stdout' | 'stderr'): void {
    // Past the limit it is read, so that the program goes on, and forgotten.
    if (this.#told > MAX_LINES) return;
    const own = this.#unfinished[stream];
    const [first = '', ...rest] = own.decoder.write(chunk).split('\n');
    const lines = [own.text + first, ...rest];
    // Of a line without an end no more than what is shown of it is kept.
    own.text = (lines.pop() ?? '').slice(0, MAX_LENGTH + 1);
    for (const line of lines) this.#line(line);
  }

  end(): void {
    for (const { text } of Object.values(this.#unfinished)) if (text !== '') this.#line(text);
  }

  #line(text: string): void {
    if (this.#told > MAX_LINES) return;
    this.#told += 1;
    if (this.#told > MAX_LINES) {
      this.#tell('(more of its output is not shown)');
      return;
    }
    const whole = printable(text.replace(/\r$/, ''));
    const line = whole.length > MAX_LENGTH ? `${whole.slice(0, MAX_LENGTH)}…` : whole;
    if (line.trim() !== '') this.#last = line.trim();
    this.#tell(line);
  }
}
