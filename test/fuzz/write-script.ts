/** Makes up scripts: phrases that make sense by themselves, put behind one another, with a few words lost or doubled. */

import { Dice } from '../chaos/dice.ts';
import { OWN } from './schema.ts';
import type { Item, Message, Op, Script } from './script.ts';
import {
  FAILURES,
  IMMOVABLE,
  IN_BINARY,
  LONG,
  OF_ITS_OWN_MEMORY,
  READS,
  SESSION,
  TRANSACTION_BEGINS,
  TRANSACTION_ENDS,
  TRANSACTION_MIDDLES,
  WITH_PARAMETERS,
  WRITES,
} from './statements.ts';

/** Whether sessions are moved, or only paused and asked. */
export type Kind = 'moved' | 'paused' | 'left-alone';

const NAMES = ['', '', 's1', 's2', 's3'] as const;
const PORTALS = ['', '', 'p1', 'p2'] as const;
const SYNC: Message = { is: 'Sync' };
const FLUSH: Message = { is: 'Flush' };
const WAIT: Item = { wait: true };

/** A message may be lost, doubled or spoiled on its way into the script; an item is as it is. */
type Phrase = readonly (Message | Item)[];

class Writer {
  readonly #dice: Dice;
  readonly #kind: Kind;

  constructor(dice: Dice, kind: Kind) {
    this.#dice = dice;
    this.#kind = kind;
  }

  phrase(): Phrase {
    const dice = this.#dice;
    const make = dice.pick<() => Phrase>([
      () => [this.#query(this.#text())],
      () => [this.#query(this.#text())],
      () => [this.#query(dice.pick(SESSION))],
      () => [this.#query(dice.pick(SESSION))],
      () => [this.#query([this.#text(), this.#text(), this.#text()].join('; '))],
      () => this.#transaction(),
      () => [...this.#extended(), ...this.#end()],
      () => [...this.#extended(), ...this.#end()],
      () => [...this.#extended(), ...this.#extended(), ...this.#end()],
      () => [
        ...this.#extended(),
        ...(this.#often(0.5) ? [SYNC] : []),
        this.#failing(),
        ...this.#extended(),
        SYNC,
      ],
      () => [...this.#reuse(), ...this.#end()],
      () => [...this.#reuse(), ...this.#end()],
      () => this.#copyIn(),
      () => this.#copyOut(),
      () => [this.#functionCall()],
      () => [dice.pick([SYNC, FLUSH, { is: 'CopyDone' }, { is: 'CopyFail', text: 'stray' }] as const)],
      () => [this.spoiled(dice.pick([...this.#extended(), this.#query(this.#text()), SYNC, FLUSH])), SYNC],
      () => this.#cancelled(),
      () => dice.pick<Phrase>([[{ cancel: 'wrong' }], [SYNC, WAIT, { cancel: 'between' }]]),
    ]);
    return make();
  }

  /** As a server refuses it, and goes on. Of a Parse and of a Bind the names and the text stay whole. */
  spoiled(message: Message): Message {
    const dice = this.#dice;
    const ends: Partial<Record<Message['is'], number>> = { Parse: 2, Bind: 6 };
    const lacks = Math.floor(dice.between(0, 1 + (ends[message.is] ?? 20)));
    return {
      is: 'Spoiled',
      message,
      lacks,
      has: dice.pick(lacks > 0 ? ['', '\x01', '\xff\xff'] : ['\0', 'xy']),
    };
  }

  /**
   * Held or at work, it ends with the same error: of a request that would fail by itself it would be another one. Named, so that
   * nothing is left of how far it came.
   */
  #cancelled(): Phrase {
    const first: Message[] = [
      { is: 'CopyFail', text: 'over' },
      SYNC,
      this.#query('ROLLBACK'),
      { is: 'Close', what: 'S', name: 'long' },
      { is: 'Parse', name: 'long', text: LONG, types: [] },
      SYNC,
      ...(this.#often(0.3) ? [this.#query('BEGIN')] : []),
    ];
    const long: Message[] = this.#often(0.5)
      ? [this.#query(LONG)]
      : [
          { is: 'Bind', portal: '', statement: 'long', formats: [], values: [], results: [] },
          { is: 'Execute', portal: '', rows: 0 },
          ...(this.#often(0.3) ? [this.#query('SELECT 8')] : []),
          SYNC,
        ];
    return [{ first, cancelled: long }];
  }

  #often(chance: number): boolean {
    return this.#dice.roll() < chance;
  }

  #query(text: string): Message {
    return { is: 'Query', text };
  }

  /** Of one statement, most often. */
  #text(): string {
    const own = this.#kind === 'moved' ? READS : OF_ITS_OWN_MEMORY;
    const pools = [READS, READS, WRITES, FAILURES, SESSION, SESSION, own, TRANSACTION_MIDDLES];
    if (this.#often(0.04)) return this.#dice.pick(IMMOVABLE);
    if (this.#often(0.04)) return this.#dice.pick([...TRANSACTION_BEGINS, ...TRANSACTION_ENDS]);
    return this.#dice.pick<string>(this.#dice.pick<readonly string[]>(pools));
  }

  #transaction(): Message[] {
    const dice = this.#dice;
    const one = (text: string): Message[] =>
      this.#often(0.7) ? [this.#query(text)] : [...this.#parseAndRun('', text, [], []), SYNC];
    const middle = () =>
      dice.pick<string>(
        dice.pick<readonly string[]>([WRITES, TRANSACTION_MIDDLES, TRANSACTION_MIDDLES, READS, FAILURES]),
      );
    const middles = Array.from({ length: 1 + Math.floor(dice.between(0, 5)) }, middle);
    return [dice.pick(TRANSACTION_BEGINS), ...middles, dice.pick(TRANSACTION_ENDS)].flatMap(one);
  }

  #end(): Message[] {
    return this.#dice.pick([[SYNC], [SYNC], [SYNC], [FLUSH, SYNC], [SYNC, SYNC], [FLUSH], []]);
  }

  #extended(): Message[] {
    const dice = this.#dice;
    const name = dice.pick(NAMES);
    if (this.#often(0.4)) return this.#parseAndRun(name, this.#text(), [], []);
    const { text, types, values, formats } = dice.pick(this.#often(0.7) ? WITH_PARAMETERS : IN_BINARY);
    return this.#parseAndRun(name, text, types, values, formats);
  }

  #failing(): Message {
    return this.#dice.pick<Message>([
      { is: 'Execute', portal: 'nobody', rows: 0 },
      { is: 'Describe', what: 'S', name: 'nobody' },
      { is: 'Parse', name: '', text: 'SELEC', types: [] },
      { is: 'Parse', name: 's1', text: 'SELECT 7', types: [] },
      this.#query('SELECT 1/0'),
      this.#bind('', 'nobody', []),
    ]);
  }

  #parseAndRun(
    name: string,
    text: string,
    types: readonly (number | string)[],
    values: readonly (string | null)[],
    formats: readonly number[] = [],
  ): Message[] {
    const parse: Message = { is: 'Parse', name, text, types };
    const close: Message[] = name !== '' && this.#often(0.4) ? [{ is: 'Close', what: 'S', name }] : [];
    const describe: Message[] = this.#often(0.3) ? [{ is: 'Describe', what: 'S', name }] : [];
    const sync: Message[] = this.#often(0.1) ? [SYNC] : [];
    if (this.#often(0.1)) return [...close, parse, ...describe];
    return [...close, parse, ...describe, ...sync, ...this.#run(name, values, formats)];
  }

  #reuse(): Message[] {
    const dice = this.#dice;
    const values = dice.pick<readonly (string | null)[]>([[], [], ['2'], ['2', 'x']]);
    const name = dice.pick(NAMES);
    return dice.pick([
      () => this.#run(name, values),
      () => this.#run(name, values),
      (): Message[] => [{ is: 'Describe', what: 'S', name }],
      (): Message[] => [{ is: 'Close', what: 'S', name }],
      (): Message[] => [{ is: 'Close', what: 'P', name: dice.pick(PORTALS) }],
      (): Message[] => [{ is: 'Execute', portal: dice.pick(PORTALS), rows: 2 }],
    ])();
  }

  #bind(
    portal: string,
    statement: string,
    values: readonly (string | null)[],
    formats: readonly number[] = [],
  ): Message {
    const results = this.#dice.pick([[], [], [0], [1]]);
    return { is: 'Bind', portal, statement, formats, values, results };
  }

  #run(statement: string, values: readonly (string | null)[], formats: readonly number[] = []): Message[] {
    const portal = this.#dice.pick(PORTALS);
    const rows = this.#dice.pick([0, 0, 0, 1, 2, 3]);
    const execute: Message = { is: 'Execute', portal, rows };
    const flush: Message[] = this.#often(0.1) ? [FLUSH] : [];
    return [
      this.#bind(portal, statement, values, formats),
      ...(this.#often(0.5) ? [{ is: 'Describe', what: 'P', name: portal } as const] : []),
      execute,
      ...flush,
      ...(rows > 0 && this.#often(0.6) ? [execute] : []),
      ...(this.#often(0.1) ? [{ is: 'Close', what: 'P', name: portal } as const] : []),
    ];
  }

  #copyIn(): Message[] {
    const dice = this.#dice;
    const copy = dice.pick([
      'COPY w{own} (v, t) FROM STDIN',
      'COPY w{own} (v) FROM STDIN',
      'COPY w{own} (v, t) FROM STDIN (FORMAT csv)',
      'COPY ro FROM STDIN (FORMAT nonsense)',
    ]);
    const extended = this.#often(0.5);
    const early: Message[] = extended && this.#often(0.6) ? [SYNC] : [];
    const begin = extended
      ? [...this.#parseAndRun('', copy, [], []), ...early]
      : [this.#query(this.#often(0.2) ? `${copy}; SELECT 5` : copy)];
    const lines = [
      '1\tone\n',
      '2\t\\N\n',
      '13\tunlucky\n',
      'no number\n',
      '3',
      '\tthree\n',
      '4,"four"\n',
      '\\.\n',
      '',
    ];
    const data = Array.from(
      { length: Math.floor(dice.between(0, 4)) },
      (): Message =>
        this.#often(0.1)
          ? dice.pick<Message>([SYNC, FLUSH, this.#query('SELECT 6')])
          : { is: 'CopyData', text: dice.pick(lines) },
    );
    const end = dice.pick<Message[]>([
      [{ is: 'CopyDone' }],
      [{ is: 'CopyDone' }],
      [{ is: 'CopyFail', text: 'enough' }],
      [],
    ]);
    return [...begin, ...data, ...end, ...(extended && this.#often(0.9) ? [SYNC] : [])];
  }

  #copyOut(): Message[] {
    const text = this.#dice.pick([
      'COPY (SELECT k, t FROM public.ro ORDER BY k) TO STDOUT',
      'COPY (SELECT 1/0) TO STDOUT',
      'COPY ro TO STDOUT; SELECT 1',
    ]);
    return this.#often(0.5) ? [this.#query(text)] : [...this.#parseAndRun('', text, [], []), SYNC];
  }

  /** int4pl, int4div by zero, lower, and one that is not there. */
  #functionCall(): Message {
    return this.#dice.pick<Message>([
      { is: 'FunctionCall', oid: 177, values: ['2', '40'] },
      { is: 'FunctionCall', oid: 154, values: ['2', '0'] },
      { is: 'FunctionCall', oid: 870, values: ['ABC'] },
      { is: 'FunctionCall', oid: 870, values: [null] },
      { is: 'FunctionCall', oid: 2078, values: ['app.a', 'by call', 'f'] },
      { is: 'FunctionCall', oid: 2078, values: ['work_mem', '8MB', 'f'] },
      { is: 'FunctionCall', oid: 1, values: [] },
    ]);
  }
}

const OPS: Readonly<Record<Kind, readonly Op[]>> = {
  moved: ['switch', 'switch', 'switch', 'pause', 'prepare'],
  paused: ['pause', 'prepare'],
  'left-alone': [],
};

const isItem = (word: Message | Item): word is Item => !('is' in word);

function* itemsOf(phrases: readonly Phrase[], writer: Writer, dice: Dice, kind: Kind): Generator<Item> {
  for (const phrase of phrases) {
    for (const word of phrase) {
      if (isItem(word)) {
        yield word;
        continue;
      }
      if (dice.roll() < 0.02) continue;
      const message = dice.roll() < 0.01 ? writer.spoiled(word) : word;
      const cut = dice.roll() < 0.1 ? { cut: 1 + Math.floor(dice.between(0, 12)) } : {};
      const item: Item = { send: message, ...cut, ...(dice.roll() < 0.4 ? { flush: true } : {}) };
      yield item;
      if (dice.roll() < 0.01) yield item;
      if (dice.roll() < 0.06) yield WAIT;
      if (OPS[kind].length > 0 && dice.roll() < 0.06)
        yield { op: dice.pick(OPS[kind]), settle: dice.roll() < 0.3 };
    }
    if (dice.roll() < 0.6) yield WAIT;
    if (OPS[kind].length > 0 && dice.roll() < 0.15)
      yield { op: dice.pick(OPS[kind]), settle: dice.roll() < 0.7 };
  }
}

export function writeScript(seed: number, kind: Kind): Script {
  const dice = new Dice(seed);
  const writer = new Writer(dice, kind);
  const sessions = dice.pick([OWN.slice(0, 1), OWN.slice(0, 1), OWN.slice(0, 2), OWN]);
  return sessions.flatMap((_, by) => {
    const phrases = Array.from({ length: 1 + Math.floor(dice.between(0, 8)) }, () => writer.phrase());
    const items = [...itemsOf(phrases, writer, dice, kind)];
    return by === 0 ? items : items.map((item) => ({ ...item, by }));
  });
}

export const kindOf = (seed: number): Kind =>
  new Dice(seed + 1).pick<Kind>(['moved', 'moved', 'moved', 'moved', 'paused', 'left-alone']);
