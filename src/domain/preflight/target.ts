/** PGG180, 182, 183: what the target holds already. */

import { isUnderWay, numberOf, type TargetObject } from './facts.ts';
import { changeSetting } from './fix.ts';
import type { Report, Rule } from './rule.ts';
import { some } from './words.ts';

const DROP: Readonly<Record<TargetObject['kind'], string>> = {
  table: 'TABLE',
  view: 'VIEW',
  'materialized view': 'MATERIALIZED VIEW',
  sequence: 'SEQUENCE',
  'foreign table': 'FOREIGN TABLE',
  function: 'ROUTINE',
  type: 'TYPE',
};

/** IF EXISTS: an earlier line's CASCADE may have taken it along. */
const drop = ({ kind, sqlName }: TargetObject): string => `DROP ${DROP[kind]} IF EXISTS ${sqlName} CASCADE;`;

const emptyTarget: Rule = {
  id: 'PGG180',
  title: 'the target is empty',
  severity: 'blocker',
  background: `sync loads the schema and the rows into a database that holds nothing of the user's yet: what is there already would clash
with what comes, or be mixed with it. Name another database, make a fresh one, or drop what is there if nobody needs it. The check looks
only at the schemas in scope and leaves out what belongs to extensions.`,
  check({ target }) {
    const { objects } = target;
    if (objects.length === 0 || isUnderWay(target)) return [];
    const listed = some(objects.map((object) => `${object.kind} ${object.sqlName}`));
    return [
      {
        title: 'the target is not empty',
        object: `database ${target.identity.database}`,
        detail: `It holds ${listed}${objects.length === 100 ? ' at least' : ''}. The fix deletes them: name another database if anyone needs them.`,
        fix: objects.map(drop).join('\n'),
        fixOn: 'target',
      },
    ];
  },
};

const rolesToCreate: Rule = {
  id: 'PGG182',
  title: 'every owner exists on the target',
  severity: 'note',
  background: `Objects keep their owners, so the roles that own them must exist on the target. sync creates those that are missing, with the
source's attributes and, where it may read them, passwords.`,
  check({ source, target }) {
    const there = new Set(target.roles.map((role) => role.name));
    const missing = source.objects.ownerRoles.filter((role) => !there.has(role));
    if (missing.length === 0) return [];
    return [{ title: `sync will create the roles ${some(missing)} on the target` }];
  },
};

const LIMITS = ['max_connections', 'max_prepared_transactions', 'max_locks_per_transaction'] as const;

const lowerLimits: Rule = {
  id: 'PGG183',
  title: 'the target takes as many clients as the source',
  severity: 'warning',
  background: `After the switch all clients are on the target. A lower max_connections refuses some of them, max_prepared_transactions = 0 refuses
PREPARE TRANSACTION, a lower max_locks_per_transaction fails transactions that touch many tables.`,
  check: ({ source, target }) =>
    LIMITS.flatMap((name): Report[] => {
      const [wanted, given] = [numberOf(source, name) ?? 0, numberOf(target, name) ?? 0];
      if (given >= wanted) return [];
      const title = `${name} is ${given} on the target and ${wanted} on the source`;
      return [{ title, object: name, ...changeSetting(target, 'target', name, String(wanted)) }];
    }),
};

export const targetRules: readonly Rule[] = [emptyTarget, rolesToCreate, lowerLimits];
