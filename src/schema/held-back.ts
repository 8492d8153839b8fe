/** Which of our objects somebody else's stand on. Pure. */

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
  const partsOf = grouped(ties.filter((tie) => tie.isPart).map(({ object, on }) => [on, object]));
  const needsOf = grouped(ties.map(({ object, on }) => [object, on]));
  const ours = reached(named, (each) => partsOf.get(each) ?? []);
  const held = new Map<string, string>();
  for (const { object, on, isPart } of ties) {
    if (isPart || ours.has(object) || !ours.has(on)) continue;
    const needed = reached([on], (each) =>
      [...(needsOf.get(each) ?? []), ...(partsOf.get(each) ?? [])].filter(
        (next) => ours.has(next) && !held.has(next),
      ),
    );
    for (const each of needed) if (!held.has(each)) held.set(each, object);
  }
  return held;
}

function grouped(pairs: readonly (readonly [string, string])[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const [key, value] of pairs) {
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}

function reached(from: Iterable<string>, next: (each: string) => readonly string[]): Set<string> {
  const found = new Set(from);
  // A set yields also what is added while one walks it.
  for (const each of found) for (const more of next(each)) found.add(more);
  return found;
}
