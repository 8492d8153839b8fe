/** Messages of the client's side that pgglide sends to servers, or reads from clients. */

import { BodyReader, cstring, frame, int16, int32 } from './bytes.ts';

const SSL_REQUEST = 80877103;
const CANCEL_REQUEST = 80877102;

const untyped = (...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([int32(4 + body.length), body]);
};

export const PROTOCOL_3_0 = 196608;

/** @see https://www.postgresql.org/docs/current/protocol-message-formats.html StartupMessage */
export function startupMessage(parameters: ReadonlyMap<string, string>): Buffer {
  const pairs: Buffer[] = [];
  for (const [name, value] of parameters) pairs.push(cstring(name), cstring(value));
  return untyped(int32(PROTOCOL_3_0), ...pairs, Buffer.of(0));
}

export const sslRequest = (): Buffer => untyped(int32(SSL_REQUEST));
export const cancelRequest = (pid: number, secret: Buffer): Buffer =>
  untyped(int32(CANCEL_REQUEST), int32(pid), secret);

export const passwordMessage = (text: string): Buffer => frame('p', cstring(text));
export function saslInitialResponse(mechanism: string, data: string): Buffer {
  const bytes = Buffer.from(data, 'utf8');
  return frame('p', cstring(mechanism), int32(bytes.length), bytes);
}
export const saslResponse = (data: string): Buffer => frame('p', Buffer.from(data, 'utf8'));

export const query = (text: string): Buffer => frame('Q', cstring(text));
/** Parse with the parameter types left to the server. */
export const parse = (name: string, text: string): Buffer =>
  frame('P', cstring(name), cstring(text), int16(0));
/** Bind of text parameters, text results, to the unnamed portal. */
export function bind(statement: string, values: readonly (string | null)[]): Buffer {
  const parameters: Buffer[] = [];
  for (const value of values) {
    if (value === null) {
      parameters.push(int32(-1));
      continue;
    }
    const bytes = Buffer.from(value, 'utf8');
    parameters.push(int32(bytes.length), bytes);
  }
  return frame('B', cstring(''), cstring(statement), int16(0), int16(values.length), ...parameters, int16(0));
}
export const execute = (): Buffer => frame('E', cstring(''), int32(0));
export const closeStatement = (name: string): Buffer => frame('C', Buffer.from('S'), cstring(name));
export const sync = (): Buffer => frame('S');
export const terminate = (): Buffer => frame('X');

/** The first message of a connection, which has no type byte. */
export type FirstMessage =
  | { readonly kind: 'ssl' }
  | { readonly kind: 'gss' }
  | { readonly kind: 'cancel'; readonly pid: number; readonly secret: Buffer }
  | {
      readonly kind: 'startup';
      readonly major: number;
      readonly minor: number;
      readonly parameters: Map<string, string>;
    };

const GSS_REQUEST = 80877104;

/** @throws {ProtocolError} when the parameters are cut short */
export function readFirstMessage(body: Buffer): FirstMessage {
  const reader = new BodyReader(body);
  const code = reader.int32();
  if (code === SSL_REQUEST) return { kind: 'ssl' };
  if (code === GSS_REQUEST) return { kind: 'gss' };
  if (code === CANCEL_REQUEST)
    return { kind: 'cancel', pid: reader.int32(), secret: reader.bytes(reader.left) };
  const parameters = new Map<string, string>();
  const major = code >>> 16;
  while (major === 3 && reader.left > 0) {
    const name = reader.cstring();
    if (name === '') break;
    parameters.set(name, reader.cstring());
  }
  return { kind: 'startup', major, minor: code & 0xffff, parameters };
}
