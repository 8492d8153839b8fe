/** The type bytes that pgglide looks at. F: sent by the client (frontend), B: by the server (backend). */

const code = (letter: string): number => letter.charCodeAt(0);

export const F = {
  bind: code('B'),
  close: code('C'),
  copyData: code('d'),
  copyDone: code('c'),
  copyFail: code('f'),
  describe: code('D'),
  execute: code('E'),
  flush: code('H'),
  functionCall: code('F'),
  parse: code('P'),
  /** Also SASLInitialResponse, SASLResponse and GSSResponse. */
  password: code('p'),
  query: code('Q'),
  sync: code('S'),
  terminate: code('X'),
} as const;

export const B = {
  authentication: code('R'),
  backendKeyData: code('K'),
  bindComplete: code('2'),
  closeComplete: code('3'),
  commandComplete: code('C'),
  emptyQueryResponse: code('I'),
  noData: code('n'),
  portalSuspended: code('s'),
  copyBothResponse: code('W'),
  copyInResponse: code('G'),
  dataRow: code('D'),
  errorResponse: code('E'),
  functionCallResponse: code('V'),
  negotiateProtocolVersion: code('v'),
  noticeResponse: code('N'),
  notificationResponse: code('A'),
  parameterDescription: code('t'),
  parameterStatus: code('S'),
  parseComplete: code('1'),
  readyForQuery: code('Z'),
  rowDescription: code('T'),
} as const;

/** Messages of a client after whose failure the server passes over everything up to the next Sync. */
export const EXTENDED: ReadonlySet<number> = new Set([
  F.parse,
  F.bind,
  F.describe,
  F.execute,
  F.close,
  F.flush,
]);

/** Transaction status in ReadyForQuery. */
export const IDLE = code('I');
