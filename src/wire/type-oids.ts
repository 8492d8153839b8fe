/** Exchanges type OIDs in messages, in place: an OID has the same size on both servers. */

import { stringEnd } from './bytes.ts';

export type OidMap = ReadonlyMap<number, number>;

function exchange(bytes: Buffer, at: number, oids: OidMap): void {
  const other = oids.get(bytes.readUInt32BE(at));
  if (other !== undefined) bytes.writeUInt32BE(other, at);
}

/** Type of each column; the body of a RowDescription from `start` to `end`. */
export function exchangeInRowDescription(bytes: Buffer, start: number, end: number, oids: OidMap): void {
  let at = start + 2;
  while (at < end) {
    const nameEnd = bytes.indexOf(0, at);
    const typeAt = nameEnd + 1 + 4 + 2;
    if (nameEnd < 0 || typeAt + 12 > end) return;
    exchange(bytes, typeAt, oids);
    at = typeAt + 4 + 2 + 4 + 2;
  }
}

/** The body of a ParameterDescription, or the tail of a Parse: a count, then OIDs. */
export function exchangeInTypeList(bytes: Buffer, start: number, end: number, oids: OidMap): void {
  for (let at = start + 2; at + 4 <= end; at += 4) exchange(bytes, at, oids);
}

/** The body of a Parse. @throws {ProtocolError} when its name or its text has no end */
export function exchangeInParse(bytes: Buffer, start: number, end: number, oids: OidMap): void {
  const textEnd = stringEnd(bytes, stringEnd(bytes, start, end) + 1, end);
  exchangeInTypeList(bytes, textEnd + 1, end, oids);
}

/** A Parse body behind the statement's name, with other type OIDs; the same buffer when nothing changes. */
export function exchangeInDefinition(definition: Buffer, oids: OidMap): Buffer {
  const typesAt = definition.indexOf(0) + 1;
  if (definition.length - typesAt <= 2) return definition;
  const changed = Buffer.from(definition);
  exchangeInTypeList(changed, typesAt, changed.length, oids);
  return changed;
}
