/** Sides, links and the names of everything we create, all derived from the migration's name. */

export type Side = 'source' | 'target';
export const SIDES = ['source', 'target'] as const satisfies readonly Side[];
export const otherSide = (side: Side): Side => (side === 'source' ? 'target' : 'source');

export interface TableName {
  readonly schema: string;
  readonly name: string;
}
const readable = (name: string): string =>
  /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
/** For people and as a map key, unambiguous whatever the names hold; not for SQL (that is `ident()`'s work). */
export const qualified = (table: TableName): string => `${readable(table.schema)}.${readable(table.name)}`;

/** One direction of logical replication. */
export type LinkName = 'forward' | 'reverse';
/** Where a link's changes come from. */
export const publisherOf = (link: LinkName): Side => (link === 'forward' ? 'source' : 'target');
export const subscriberOf = (link: LinkName): Side => otherSide(publisherOf(link));
/** The link that carries changes away from `side`. */
export const linkFrom = (side: Side): LinkName => (side === 'source' ? 'forward' : 'reverse');

/** The schema that holds our objects, on both sides. */
export const OWN_SCHEMA = 'pgglide';

export interface LaneNames {
  readonly link: LinkName;
  readonly lane: number;
  readonly publication: string;
  readonly slot: string;
  readonly subscription: string;
  readonly marker: TableName;
}

/** Under what name a database that moves together with the lead database keeps what is its own: state, links, slots. */
export const memberName = (migration: string, database: string): string => `${migration}/${database}`;

/** Slot names allow only [a-z0-9_] and 63 bytes, and two databases of a cluster must not collide: readable head, hash tail. */
function slug(migration: string): string {
  const slash = migration.lastIndexOf('/');
  const head =
    slash < 0
      ? plainHead(migration, 24)
      : `${plainHead(migration.slice(0, slash), 16)}_${plainHead(migration.slice(slash + 1), 20)}`;
  return `${head}_${fnv1a(migration)}`;
}

const plainHead = (text: string, length: number): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .slice(0, length);

/** Eight hexadecimal digits: tells names apart whose readable forms are alike. */
export function fnv1a(text: string): string {
  let hash = 0x811c9dc5;
  for (const char of text) {
    hash ^= char.codePointAt(0) ?? 0;
    hash = Math.imul(hash, 0x01000193) >>> 0;
  }
  return hash.toString(16).padStart(8, '0');
}

/** Every name of one lane of one link. */
export function laneNames(migration: string, link: LinkName, lane: number): LaneNames {
  const name = `pgglide_${slug(migration)}_${link === 'forward' ? 'fwd' : 'rev'}_${lane}`;
  const marker = { schema: OWN_SCHEMA, name: `marker_${link}_${lane}` };
  return { link, lane, publication: name, slot: name, subscription: name, marker };
}

/** "pgglide_shop_1a2b3c4d_": how all names of a migration's links begin, and no other's do. */
export const linkPrefix = (migration: string): string =>
  laneNames(migration, 'forward', 0).slot.slice(0, -'fwd_0'.length);
