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
      /** 0: text, 1: binary. */
      readonly formats: readonly number[];
      /** Latin-1: one character a byte. */
      readonly values: readonly (string | null)[];
      readonly results: readonly number[];
    }
  | { readonly is: 'Describe' | 'Close'; readonly what: 'S' | 'P'; readonly name: string }
  | { readonly is: 'Execute'; readonly portal: string; readonly rows: number }
  | { readonly is: 'Flush' | 'Sync' | 'CopyDone' }
  | { readonly is: 'CopyData' | 'CopyFail'; readonly text: string }
  | { readonly is: 'FunctionCall'; readonly oid: number; readonly values: readonly (string | null)[] }
  /** A well-framed message whose body lacks so many of its last bytes, and has others instead. */
  | { readonly is: 'Spoiled'; readonly message: Message; readonly lacks: number; readonly has: string };

export type Op = 'switch' | 'pause' | 'prepare';

/** `between`: where nothing is asked. `wrong`: with a key that is nobody's. */
export type Cancel = 'between' | 'wrong';

type Word =
  /** `cut`: so many bytes of it go out first. `flush`: it goes out before the next one is looked at. */
  | { readonly send: Message; readonly cut?: number; readonly flush?: boolean }
  /** Until everything is answered that will be without more from us. */
  | { readonly wait: true }
  | { readonly cancel: Cancel }
  /** Sent when everything before them is answered, `first` too, and cancelled until there is an error. */
  | { readonly cancelled: readonly Message[]; readonly first: readonly Message[] }
  /** Begun here. `settle`: and ended here, where no transaction is open. */
  | { readonly op: Op; readonly settle: boolean };

/** `by`: which of several sessions that speak at the same time; the first where it is not said. */
export type Item = Word & { readonly by?: number };

export type Script = readonly Item[];

/** What each session says, as many as have something to say. */
export function bySession(script: Script): Script[] {
  const sessions: Item[][] = [[]];
  for (const item of script) {
    const by = item.by ?? 0;
    while (sessions.length <= by) sessions.push([]);
    sessions[by]?.push(item);
  }
  return sessions;
}

/** What differs from bed to bed, and from session to session. */
export interface Names {
  readonly oids: ReadonlyMap<string, number>;
  /** A role that is no superuser. */
  readonly plainRole: string;
  /** At the end of the name of what sessions would take from one another: channels, locks, sequences. */
  readonly own: string;
}

const HEADER_BYTES = 5;

const counted = (parts: readonly Buffer[]): Buffer => Buffer.concat([int16(parts.length), ...parts]);
const value = (text: string | null): Buffer =>
  text === null ? int32(-1) : Buffer.concat([int32(text.length), Buffer.from(text, 'latin1')]);

export function encode(message: Message, names: Names): Buffer {
  const named = (words: string) =>
    words.replaceAll('{plain}', names.plainRole).replaceAll('{own}', names.own);
  const text = (words: string) => cstring(named(words));
  const values = (words: readonly (string | null)[]) =>
    counted(words.map((word) => value(word === null ? null : named(word))));
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
        values(message.values),
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
      return frame('F', int32(message.oid), counted([]), values(message.values), int16(0));
    case 'Spoiled': {
      const whole = encode(message.message, names);
      const kept = whole.subarray(HEADER_BYTES, Math.max(HEADER_BYTES, whole.length - message.lacks));
      return frame(String.fromCharCode(whole[0] ?? 0), kept, Buffer.from(message.has, 'latin1'));
    }
  }
}

/** One item a line; JSON, so that it can be pasted into a test. */
export const printed = (script: Script): string =>
  script.map((item) => `  ${JSON.stringify(item)},`).join('\n');
