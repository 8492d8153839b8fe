/** Sequences are not replicated: the next insert tells whether someone thought of them. */

import type pg from 'pg';
import { rowsOf, withSession } from '../../session.ts';
import type { CheckDefinition } from '../types.ts';
import { targetOf } from '../world.ts';

interface SequenceUse {
  readonly sequence: string;
  readonly increment: number;
  /** Undefined: no column takes its values. */
  readonly table: string | null;
  readonly column: string | null;
}

export interface SequenceState extends SequenceUse {
  /** The greatest key, or the least where the sequence counts down; null: no rows. */
  readonly furthestKey: number | null;
  readonly next: number;
}

const USES = `
  SELECT DISTINCT s.seqrelid::regclass::text AS sequence, s.seqincrement::integer AS increment,
    u.refobjid::regclass::text AS "table", a.attname AS "column"
  FROM pg_sequence s
  JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN (
    SELECT d.objid AS sequence, d.refobjid, d.refobjsubid FROM pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    UNION SELECT d.refobjid, f.adrelid, f.adnum FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid
      WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass AND f.adrelid <> d.refobjid
  ) u ON u.sequence = s.seqrelid AND NOT (SELECT relispartition FROM pg_class WHERE oid = u.refobjid)
  LEFT JOIN pg_attribute a ON a.attrelid = u.refobjid AND a.attnum = u.refobjsubid
  WHERE n.nspname IN ('public', 'billing') ORDER BY 1`;

export const sequences: CheckDefinition = {
  id: 'sequences',
  name: 'every sequence on the target goes on behind the last key',
  needsReference: true,
  points: 5,
  needsSwitch: true,
  async run(world) {
    const states = await withSession(targetOf(world), readSequences);
    const wanted = await withSession(await world.reference(), readSequences);
    const behind = behindOf(states, wanted);
    const total = wanted.length;
    if (behind.length === 0)
      return { score: 5, output: `${total} of ${total} sequences are ahead of their keys` };
    return {
      score: Math.max(0, 5 - behind.length),
      output: `behind or not set: ${behind.join(', ')}`,
      hint: 'task 5: logical replication does not carry sequences. Read them on the source once writers are held.',
      evidence: states,
    };
  },
};

async function readSequences(session: pg.Client): Promise<SequenceState[]> {
  const states: SequenceState[] = [];
  for (const use of await rowsOf<SequenceUse>(session, USES)) {
    const { sequence, table, column, increment } = use;
    const furthest = increment > 0 ? 'max' : 'min';
    // The key first: the sequence that is read later can only be further.
    const [key] =
      table === null || column === null
        ? []
        : await rowsOf<{ key: string | null }>(
            session,
            `SELECT ${furthest}("${column}")::text AS key FROM ${table}`,
          );
    const [state] = await rowsOf<{ next: string }>(
      session,
      `SELECT (last_value + CASE WHEN is_called THEN ${increment} ELSE 0 END)::text AS next FROM ${sequence}`,
    );
    const furthestKey = key?.key == null ? null : Number(key.key);
    states.push({ ...use, furthestKey, next: Number(state?.next) });
  }
  return states;
}

/** Names of those that would give a key that is taken, are not there, or (used by no column) lost their place. */
export function behindOf(states: readonly SequenceState[], wanted: readonly SequenceState[]): string[] {
  const found = new Map(states.map((state) => [state.sequence, state]));
  return wanted
    .filter((reference) => {
      const state = found.get(reference.sequence);
      if (state === undefined) return true;
      const { furthestKey, increment, next } = state;
      if (state.table === null) return next !== reference.next;
      if (furthestKey === null) return false;
      return increment > 0 ? next <= furthestKey : next >= furthestKey;
    })
    .map(({ sequence }) => sequence);
}
