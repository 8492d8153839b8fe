/** What is played: messages of a client, and what is done to the proxy between them. Plain data, so that it can be printed and played again. */

import { cstring, frame, int16, int32 } from '../../src/wire/bytes.ts';

/** A type of the database's own goes by its name: its OID differs from server to server. */
type ParameterType = number | string;

export type Message =
  | { readonly is: 'Query'; readonly text: string }
  | {
      readonly is: 'Parse';
      readonly name: string;
      readonly text: string;
      readonly types: readonly ParameterType[];
    }
  | {
      readonly is: 'Bind';
      readonly portal: string;
      readonly statement: string;
      readonly formats: readonly number[];
      /** Latin-1: one character a byte. */
      readonly values: readonly (string | null)[];
      readonly results: readonly number[];
    }
  | { readonly is: 'Describe' | 'Close'; readonly what: 'S' | 'P'; readonly name: string }
  | { readonly is: 'Execute'; readonly portal: string; readonly rows: number }
  | { readonly is: 'Flush' | 'Sync' | 'CopyDone' }
  | { readonly is: 'CopyData' | 'CopyFail'; readonly text: string }
  | { readonly is: 'FunctionCall'; readonly oid: number; readonly values: readonly (string | null)[] };

export type Op = 'switch' | 'pause' | 'prepare';

export type Item =
  /** `cut`: so many bytes of it go out first. `flush`: it goes out before the next one is looked at. */
  | { readonly send: Message; readonly cut?: number; readonly flush?: boolean }
  /** Until everything is answered that will be without more from us. */
  | { readonly wait: true }
  /** Begun here. `settle`: and ended here, where no transaction is open. */
  | { readonly op: Op; readonly settle: boolean };

export type Script = readonly Item[];

/** What differs from bed to bed. */
export interface Names {
  readonly oids: ReadonlyMap<string, number>;
  /** A role that is no superuser. */
  readonly plainRole: string;
}

const counted = (parts: readonly Buffer[]): Buffer => Buffer.concat([int16(parts.length), ...parts]);
const value = (text: string | null): Buffer =>
  text === null ? int32(-1) : Buffer.concat([int32(text.length), Buffer.from(text, 'latin1')]);

export function encode(message: Message, names: Names): Buffer {
  const text = (words: string) => cstring(words.replaceAll('{plain}', names.plainRole));
  switch (message.is) {
    case 'Query':
      return frame('Q', text(message.text));
    case 'Parse': {
      const oidOf = (type: ParameterType) => (typeof type === 'number' ? type : (names.oids.get(type) ?? 0));
      return frame(
        'P',
        cstring(message.name),
        text(message.text),
        counted(message.types.map((type) => int32(oidOf(type)))),
      );
    }
    case 'Bind':
      return frame(
        'B',
        cstring(message.portal),
        cstring(message.statement),
        counted(message.formats.map(int16)),
        counted(message.values.map(value)),
        counted(message.results.map(int16)),
      );
    case 'Describe':
    case 'Close':
      return frame(message.is === 'Describe' ? 'D' : 'C', Buffer.from(message.what), cstring(message.name));
    case 'Execute':
      return frame('E', cstring(message.portal), int32(message.rows));
    case 'Flush':
      return frame('H');
    case 'Sync':
      return frame('S');
    case 'CopyDone':
      return frame('c');
    case 'CopyData':
      return frame('d', Buffer.from(message.text, 'latin1'));
    case 'CopyFail':
      return frame('f', cstring(message.text));
    case 'FunctionCall':
      return frame('F', int32(message.oid), counted([]), counted(message.values.map(value)), int16(0));
  }
}

/** One item a line; JSON, so that it can be pasted into a test. */
export const printed = (script: Script): string =>
  script.map((item) => `  ${JSON.stringify(item)},`).join('\n');
