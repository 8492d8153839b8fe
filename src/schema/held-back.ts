/** Which of our objects somebody else's stand on. Pure. */

import { grouped } from '../base/grouped.ts';

/** What pg_depend says of two objects: without `on`, `object` could not be. */
export interface Tie {
  readonly object: string;
  readonly on: string;
  /** `object` is a part of `on` and goes with it: a column's default, an index, a trigger, an extension's function. */
  readonly isPart: boolean;
}

/**
 * Dropping with CASCADE what is not held back takes nothing of others along: what they use stays, with all that it
 * needs itself.
 *
 * @param named our objects; their parts are ours, too
 * @returns what is held back, each with somebody else's object that is the reason
 */
export function heldBack(named: ReadonlySet<string>, ties: readonly Tie[]): Map<string, string> {
  const asParts = grouped(
    ties.filter((tie) => tie.isPart),
    ({ on }) => on,
  );
  const asNeeding = grouped(ties, ({ object }) => object);
  const partsOf = (each: string) => (asParts.get(each) ?? []).map(({ object }) => object);
  const needsOf = (each: string) => (asNeeding.get(each) ?? []).map(({ on }) => on);
  const ours = reached(named, partsOf);
  const held = new Map<string, string>();
  for (const { object, on, isPart } of ties) {
    if (isPart || ours.has(object) || !ours.has(on)) continue;
    const needed = reached([on], (each) =>
      [...needsOf(each), ...partsOf(each)].filter((next) => ours.has(next) && !held.has(next)),
    );
    for (const each of needed) if (!held.has(each)) held.set(each, object);
  }
  return held;
}

function reached(from: Iterable<string>, next: (each: string) => readonly string[]): Set<string> {
  const found = new Set(from);
  // A set yields also what is added while one walks it.
  for (const each of found) for (const more of next(each)) found.add(more);
  return found;
}
