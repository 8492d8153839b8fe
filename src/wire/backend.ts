/** Messages of the server's side that pgglide sends to clients, or reads from servers. */

import { BodyReader, cstring, frame, int32 } from './bytes.ts';

export const authenticationOk = (): Buffer => frame('R', int32(0));
export const authenticationSasl = (mechanisms: readonly string[]): Buffer =>
  frame('R', int32(10), ...mechanisms.map(cstring), Buffer.of(0));
export const authenticationSaslContinue = (data: string): Buffer => frame('R', int32(11), Buffer.from(data));
export const authenticationSaslFinal = (data: string): Buffer => frame('R', int32(12), Buffer.from(data));
export const authenticationMd5 = (salt: Buffer): Buffer => frame('R', int32(5), salt);

export const parameterStatus = (name: string, value: string): Buffer =>
  frame('S', cstring(name), cstring(value));
export const backendKeyData = (pid: number, secret: Buffer): Buffer => frame('K', int32(pid), secret);
export const readyForQuery = (): Buffer => frame('Z', Buffer.from('I'));
export const negotiateProtocolVersion = (newest: number, unknownOptions: readonly string[]): Buffer =>
  frame('v', int32(newest), int32(unknownOptions.length), ...unknownOptions.map(cstring));

export interface ServerErrorFields {
  readonly severity: 'ERROR' | 'FATAL';
  /** SQLSTATE. */
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** @see https://www.postgresql.org/docs/current/protocol-error-fields.html */
export function errorResponse(error: ServerErrorFields): Buffer {
  const field = (letter: string, value: string) => cstring(`${letter}${value}`);
  return frame(
    'E',
    field('S', error.severity),
    field('V', error.severity),
    field('C', error.code),
    field('M', error.message),
    ...(error.hint === undefined ? [] : [field('H', error.hint)]),
    Buffer.of(0),
  );
}

/** SQLSTATE and message of an ErrorResponse or NoticeResponse. */
export function readError(body: Buffer): { readonly code: string; readonly message: string } {
  const reader = new BodyReader(body);
  let code = '';
  let message = '';
  while (reader.left > 0) {
    const field = reader.byte();
    if (field === 0) break;
    const value = reader.cstring();
    if (field === 0x43) code = value;
    if (field === 0x4d) message = value;
  }
  return { code, message };
}

export function readParameterStatus(body: Buffer): readonly [name: string, value: string] {
  const reader = new BodyReader(body);
  return [reader.cstring(), reader.cstring()];
}

/** Values of a DataRow in text format. */
export function readDataRow(body: Buffer): (string | null)[] {
  const reader = new BodyReader(body);
  return Array.from({ length: reader.int16() }, () => {
    const bytes = reader.int32();
    return bytes < 0 ? null : reader.bytes(bytes).toString('utf8');
  });
}
