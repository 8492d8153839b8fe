/** Log sequence numbers as PostgreSQL prints them ("16/B374D848"), compared as 64-bit positions. */

export type Lsn = string;

/** @see https://www.postgresql.org/docs/current/datatype-pg-lsn.html */
export function lsnToBigInt(lsn: Lsn): bigint {
  const match = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(lsn);
  if (!match) throw new RangeError(`Not an LSN: ${lsn}`);
  return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`);
}

/** Distance in bytes, negative when `from` is ahead of `to`. */
export const lsnDistanceBytes = (from: Lsn, to: Lsn): number => Number(lsnToBigInt(to) - lsnToBigInt(from));
