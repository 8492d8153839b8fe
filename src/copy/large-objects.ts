/** Makes one side's large objects those of the other. What is equal already is not touched, so a second run is cheap to write. */

import { isDeepStrictEqual } from 'node:util';
import { PrerequisiteError } from '../domain/errors.ts';
import { type Connection, sqlState } from '../postgres/connection.ts';
import {
  createLargeObjects,
  type LargeObject,
  readContent,
  readContents,
  readLargeObjects,
  unlinkLargeObjects,
  writeContent,
} from '../postgres/large-object.ts';
import { INSUFFICIENT_PRIVILEGE, UNDEFINED_OBJECT, UNIQUE_VIOLATION } from '../postgres/sqlstate.ts';

/** Up to this size many travel in one statement; larger ones by themselves, a piece at a time. */
const SMALL_BYTES = 256 * 1024;
const BATCH_BYTES = 4 * 1024 * 1024;
const BATCH_OBJECTS = 500;
const PIECE_BYTES = 1024 * 1024;

export interface LargeObjectDifference {
  /** On the giving side, other or missing on the taking one. */
  readonly changed: readonly LargeObject[];
  /** Known to have been on both, and gone on the giving side. */
  readonly gone: readonly number[];
  /** All of the giving side. */
  readonly all: readonly LargeObject[];
}

interface CarryOptions {
  readonly from: Connection;
  readonly to: Connection;
  /** Oids that both sides had when last carried: none else is ever removed from the taking side. */
  readonly shared: ReadonlySet<number>;
  readonly signal?: AbortSignal | undefined;
}

/** @throws {PrerequisiteError} `large_object_unreadable` */
export async function compareLargeObjects({
  from,
  to,
  shared,
  signal,
}: CarryOptions): Promise<LargeObjectDifference> {
  const [all, there] = await Promise.all([readable(from, signal), readable(to, signal)]);
  const known = new Map(there.map((object) => [object.oid, object]));
  const kept = new Set(all.map(({ oid }) => oid));
  return {
    all,
    changed: all.filter((object) => !isDeepStrictEqual(known.get(object.oid), object)),
    gone: there.map(({ oid }) => oid).filter((oid) => !kept.has(oid) && shared.has(oid)),
  };
}

async function readable(connection: Connection, signal: AbortSignal | undefined): Promise<LargeObject[]> {
  try {
    return await readLargeObjects(connection, signal);
  } catch (error) {
    if (sqlState(error) !== INSUFFICIENT_PRIVILEGE) throw error;
    throw new PrerequisiteError(
      'large_object_unreadable',
      `Large objects cannot be carried: ${(error as Error).message}`,
      {
        hint: 'Let pgglide log in as a superuser or as their owner, or GRANT SELECT ON LARGE OBJECT on each.',
        cause: error,
      },
    );
  }
}

/**
 * Each batch is one transaction on the taking side; `record` is called inside it.
 * @throws {PrerequisiteError} `large_object_taken`: the taking side has another one of that oid
 */
export async function carryLargeObjects(
  options: CarryOptions & {
    readonly difference: LargeObjectDifference;
    readonly record: (oids: readonly number[]) => Promise<void>;
  },
): Promise<void> {
  const { from, to, shared, difference, record, signal } = options;
  if (difference.gone.length > 0) await unlinkLargeObjects(to, difference.gone);
  for (const batch of batches(difference.changed)) {
    signal?.throwIfAborted();
    const oids = batch.map(({ oid }) => oid);
    await to
      .transaction(async () => {
        await unlinkLargeObjects(
          to,
          oids.filter((oid) => shared.has(oid)),
        );
        await createLargeObjects(to, batch);
        await writeContents(from, to, batch, signal);
        await record(oids);
      })
      .catch((error: unknown) => {
        throw sqlState(error) === UNIQUE_VIOLATION ? taken(error) : error;
      });
  }
}

function* batches(objects: readonly LargeObject[]): Generator<LargeObject[]> {
  let batch: LargeObject[] = [];
  let bytes = 0;
  for (const object of objects) {
    if (batch.length > 0 && (bytes + object.bytes > BATCH_BYTES || batch.length === BATCH_OBJECTS)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(object);
    bytes += object.bytes;
  }
  if (batch.length > 0) yield batch;
}

async function writeContents(
  from: Connection,
  to: Connection,
  batch: readonly LargeObject[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const small = batch.filter(({ bytes }) => bytes <= SMALL_BYTES).map(({ oid }) => oid);
  const contents = await readContents(from, small);
  for (const [oid, data] of contents) if (data.length > 0) await writeContent(to, oid, 0, data);
  for (const { oid, bytes } of batch.filter((object) => object.bytes > SMALL_BYTES)) {
    for (let offset = 0; offset < bytes; offset += PIECE_BYTES) {
      signal?.throwIfAborted();
      const piece = await pieceIfThere(from, oid, offset);
      if (piece !== undefined) await writeContent(to, oid, offset, piece);
    }
  }
}

/** Removed while it is read: the next comparison sees that. */
async function pieceIfThere(from: Connection, oid: number, offset: number): Promise<Buffer | undefined> {
  try {
    return await readContent(from, oid, offset, PIECE_BYTES);
  } catch (error) {
    if (sqlState(error) === UNDEFINED_OBJECT) return undefined;
    throw error;
  }
}

const taken = (cause: unknown): PrerequisiteError =>
  new PrerequisiteError(
    'large_object_taken',
    `A large object of the same oid is there already, and is not ours: ${(cause as Error).message}`,
    {
      hint: 'The target must be empty: remove its large objects (SELECT lo_unlink(oid)), then try again.',
      cause,
    },
  );
