/** Cuts what a client library writes into what can be answered. Pure. */

export type FrontendRequest =
  /** More bytes must come first. */
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'encryption' }
  | { readonly kind: 'startup' }
  /** Terminate. */
  | { readonly kind: 'goodbye' }
  /** Complete messages, the last of which asks for ReadyForQuery. */
  | { readonly kind: 'messages'; readonly bytes: Uint8Array };

const SSL_REQUEST = 80877103;
const GSS_REQUEST = 80877104;
const PROTOCOL_3 = 3;
const QUERY = 0x51;
const SYNC = 0x53;
const TERMINATE = 0x58;

/**
 * `bytes` holds whole messages or a message's beginning; `rest` is to be put before what comes next.
 *
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export function splitFrontendMessages(bytes: Uint8Array): { request: FrontendRequest; rest: Uint8Array } {
  const none = { request: { kind: 'incomplete' }, rest: bytes } as const;
  if (bytes.length < 8 && bytes[0] === 0) return none;
  const opening = openingRequest(bytes);
  if (opening) return opening;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = 0;
  while (end + 5 <= bytes.length) {
    const type = bytes[end];
    const next = end + 1 + view.getUint32(end + 1);
    if (next > bytes.length) return none;
    if (type === TERMINATE) return { request: { kind: 'goodbye' }, rest: bytes.subarray(next) };
    end = next;
    if (type === QUERY || type === SYNC) {
      return { request: { kind: 'messages', bytes: bytes.slice(0, end) }, rest: bytes.slice(end) };
    }
  }
  return none;
}

/** Messages before the start-up is over have no type byte: they begin with a length below 2^24. */
function openingRequest(bytes: Uint8Array): ReturnType<typeof splitFrontendMessages> | undefined {
  if (bytes[0] !== 0 || bytes.length < 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(0);
  if (length > bytes.length) return { request: { kind: 'incomplete' }, rest: bytes };
  const code = view.getUint32(4);
  const rest = bytes.slice(length);
  if (code === SSL_REQUEST || code === GSS_REQUEST) return { request: { kind: 'encryption' }, rest };
  if (code >>> 16 === PROTOCOL_3) return { request: { kind: 'startup' }, rest };
  throw new Error(`Unexpected start of a conversation: code ${code}`);
}
