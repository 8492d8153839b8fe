import { isDeepStrictEqual } from 'node:util';
import type { Side } from '../domain/names.ts';
import type { Step } from '../engine/step.ts';
import { readRolesOfBoth } from '../postgres/roles.ts';
import { type AgreedRole, agreedRoles, type RoleRecord } from '../schema/role-drift.ts';
import { readRoleRecord, saveRoleRecord } from '../state/role-record.ts';

const noting = (id: string, active: Side): Step<RoleRecord> => ({
  id,
  title: 'What the roles of both sides have in common',

  describe: () => ['target: record attributes and memberships that are the same on both sides; no password'],

  async observe({ source, target, migration }) {
    const before = await readRoleRecord<AgreedRole>(target, migration);
    const now = agreedRoles(before, await readRolesOfBoth({ source, target }), active);
    return { satisfied: isDeepStrictEqual(before, now), facts: now };
  },

  actions: ({ target, migration }, record) => [
    {
      on: 'target',
      does: 'record what both sides’ roles have in common',
      run: () => saveRoleRecord(target, migration, record),
    },
  ],
});

/** Records what the roles of both sides have in common now: what their drift is measured against. Locks nothing. */
export const noteRoles = noting('note-roles', 'source');

/** The same while the target is active. */
export const noteRolesOfTarget = noting('note-roles-of-target', 'target');
