/** Names of the settings with a dot that a session was seen to set: pg_settings does not list them. */

import { boundValue } from '../wire/bind.ts';

/** Also a SET LOCAL or a RESET leaves a setting of its name, an empty one. */
const SET_STATEMENT =
  /\bset\s+(?:(?:session|local)\s+)?((?:"[^"]+"|[a-z_][\w$]*)(?:\.(?:"[^"]+"|[a-z_][\w$]*))+)\s*(?:=|to\b)/gi;
const RESET_STATEMENT = /\breset\s+((?:"[^"]+"|[a-z_][\w$]*)(?:\.(?:"[^"]+"|[a-z_][\w$]*))+)/gi;
const SET_CONFIG = /\bset_config\s*\(\s*'([^']+\.[^']+)'/gi;
const BOUND_NAME = /\bset_config\s*\(\s*\$(\d+)/gi;
const CUSTOM_NAME = /^[a-z_][\w$]*(?:\.[a-z_][\w$]*)+$/i;
/** Of set_config, in small letters, in capitals, and with capitals at the words' beginnings. */
const CALLS = [Buffer.from('onfig'), Buffer.from('ONFIG')];
/** Of pg_catalog.set_config, in every version. */
const SET_CONFIG_OID = 2078;
const MAX_NAMES = 1024;
/** Texts longer than this carry data, not settings. */
const MAX_TEXT_BYTES = 8192;

export class CustomSettings {
  readonly names = new Set<string>();
  /** Statements were seen that say by a parameter what they set: lookAtBind() wants to see their values. */
  hasBoundNames = false;

  /** Looks at a query text: `bytes` from `start` to `end`. Cheap for texts that set nothing. @returns the names in it */
  look(bytes: Buffer, start: number, end: number): readonly string[] {
    // The bytes behind it are other messages: they are not searched.
    const query = bytes.subarray(start, end);
    if (!maySet(query) && !hasSeveral(query)) return [];
    const text = query.toString('latin1', 0, MAX_TEXT_BYTES);
    const found = [SET_STATEMENT, RESET_STATEMENT, SET_CONFIG].flatMap((expression) =>
      [...text.matchAll(expression)].map(([, name = '']) => known(name)),
    );
    for (const name of found) this.#add(name);
    if (text.search(BOUND_NAME) >= 0) this.hasBoundNames = true;
    return found;
  }

  /** Looks at the values of a statement that is executed: of `definition`, its text up to a zero byte, and a Bind's tail. */
  lookAtBind(definition: Buffer, bindTail: Buffer): void {
    if (!callsSetConfig(definition)) return;
    const text = definition.toString('latin1', 0, Math.min(definition.indexOf(0), MAX_TEXT_BYTES));
    for (const [, position] of text.matchAll(BOUND_NAME)) {
      const name = boundValue(bindTail, Number(position))?.toString('latin1');
      if (name !== undefined && CUSTOM_NAME.test(name)) this.#add(name);
    }
  }

  /** The body of a FunctionCall: behind the function's OID it is like a Bind's tail. */
  lookAtCall(body: Buffer): void {
    if (body.length < 4 || body.readUInt32BE(0) !== SET_CONFIG_OID) return;
    const name = boundValue(body.subarray(4), 1)?.toString('latin1');
    if (name !== undefined && CUSTOM_NAME.test(name)) this.#add(name);
  }

  /** Names that functions of the database set or ask for: what a client calls may set them. True when one was new. */
  mayBeSet(names: Iterable<string>): boolean {
    const before = this.names.size;
    for (const name of names) this.#add(name);
    return this.names.size > before;
  }

  #add(name: string | undefined): void {
    if (name !== undefined && this.names.size < MAX_NAMES) this.names.add(known(name));
  }
}

/** As the server is asked for it. */
const known = (name: string): string => name.replaceAll('"', '').toLowerCase();

/** More than one statement, most likely: any of them may be a SET. */
function hasSeveral(query: Buffer): boolean {
  const semicolon = query.indexOf(0x3b);
  return semicolon >= 0 && semicolon < query.length - 1;
}

const callsSetConfig = (text: Buffer): boolean => CALLS.some((call) => text.includes(call));

const lower = (byte: number | undefined): number => (byte ?? 0) | 0x20;

/** By the first letters: data-changing statements set nothing, SELECT only by calling set_config. */
function maySet(query: Buffer): boolean {
  const first = lower(query[0]);
  if (first === 0x69 || first === 0x75 || first === 0x64) return false; // insert, update, delete
  if (first === 0x73 && lower(query[1]) === 0x65 && lower(query[2]) === 0x6c) {
    return callsSetConfig(query);
  }
  return true;
}
