/** A slot with its snapshot, and word of whom its creation waits for meanwhile. */

import { sleep } from '../base/async.ts';
import type { ServerAddress } from '../config/server-address.ts';
import type { Connection } from './connection.ts';
import {
  copySlot,
  createSlotWithSnapshot,
  dropSlot,
  type SlotCreationOptions,
  type SlotWithSnapshot,
  slotState,
} from './replication-slot.ts';
import { blockerInWords, slotBlockers } from './slot-blockers.ts';

const LOOK_EVERY_MS = 1_000;
const DROP_TIMEOUT_MS = 10_000;

export interface PatientSlotOptions extends SlotCreationOptions {
  /** A session on the same server that is free meanwhile. */
  readonly control: Connection;
  /** Who stands in the way, in words; again when it is somebody else. */
  readonly onBlocked: (blockers: string) => void;
}

/**
 * Slots that all begin at the one snapshot of the first. When one of them cannot be had, none is left.
 *
 * @throws as createSlotWithSnapshot
 */
export async function createSlotsPatiently(
  address: ServerAddress,
  [first, ...others]: readonly [string, ...string[]],
  options: PatientSlotOptions,
): Promise<SlotWithSnapshot> {
  const slot = await createSlotPatiently(address, first, options);
  const made = [first];
  try {
    for (const name of others) {
      await copySlot(options.control, first, name);
      made.push(name);
    }
    return slot;
  } catch (error) {
    await slot[Symbol.asyncDispose]();
    for (const name of made)
      await dropSlot(options.control, name, { timeoutMs: DROP_TIMEOUT_MS }).catch(() => undefined);
    throw error;
  }
}

/** @throws as createSlotWithSnapshot */
async function createSlotPatiently(
  address: ServerAddress,
  name: string,
  options: PatientSlotOptions,
): Promise<SlotWithSnapshot> {
  const done = new AbortController();
  const telling = tellBlockers(name, options, done.signal);
  try {
    return await createSlotWithSnapshot(address, name, options);
  } finally {
    done.abort();
    await telling;
  }
}

async function tellBlockers(name: string, options: PatientSlotOptions, done: AbortSignal): Promise<void> {
  const { control, onBlocked } = options;
  const started = performance.now();
  let told = '';
  for (;;) {
    await sleep(LOOK_EVERY_MS, done).catch(() => undefined);
    if (done.aborted) return;
    const blockers = await currentBlockers(control, name, performance.now() - started).catch(() => []);
    const who = blockers.map(({ pid, gid }) => gid ?? pid).join();
    if (who === told || blockers.length === 0) continue;
    told = who;
    onBlocked(blockers.map(blockerInWords).join('; '));
  }
}

async function currentBlockers(control: Connection, name: string, waitedMs: number) {
  // While it is being created, the slot is in use by its creator.
  const creator = (await slotState(control, name))?.activePid;
  return slotBlockers(control, creator ?? 0, waitedMs);
}
