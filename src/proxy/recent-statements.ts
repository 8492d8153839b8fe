/** A sample of the distinct statements that one user runs in one database: what a new connection is warmed with. */

import { isPlannable } from './plannable.ts';

const MAX_STATEMENTS = 64;
const MAX_BYTES = 16_384;

export interface WarmStatement {
  /** Query text, zero byte, parameter types: a Parse body behind the name. */
  readonly definition: Buffer;
  /** A Bind body behind the statement's name: formats and values of one real execution. */
  readonly bindTail: Buffer;
}

/** No parameter formats, no parameters, no result formats. */
const BIND_NOTHING = Buffer.alloc(6);

export class RecentStatements {
  /** In order of last use, oldest first. */
  readonly #statements = new Map<string, WarmStatement>();

  add(definition: Buffer, bindTail: Buffer): void {
    if (definition.length + bindTail.length > MAX_BYTES) return;
    this.#keep(definition.toString('latin1'), {
      definition: Buffer.from(definition),
      bindTail: Buffer.from(bindTail),
    });
  }

  /** A statement of the simple protocol; its constants do not make it another one. */
  addQuery(text: Buffer): void {
    if (text.length > MAX_BYTES || !isPlannable(text)) return;
    const shape = text.toString('latin1').replace(/'[^']*'|\b\d+(\.\d+)?\b/g, '?');
    this.#keep(shape, { definition: Buffer.concat([text, Buffer.alloc(3)]), bindTail: BIND_NOTHING });
  }

  list(): WarmStatement[] {
    return [...this.#statements.values()];
  }

  #keep(key: string, statement: WarmStatement): void {
    this.#statements.delete(key);
    this.#statements.set(key, statement);
    if (this.#statements.size <= MAX_STATEMENTS) return;
    const [oldest] = this.#statements.keys();
    if (oldest !== undefined) this.#statements.delete(oldest);
  }
}
