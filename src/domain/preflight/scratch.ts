/** PGG190 to 192: what the scratch load reports. It needs a server, so its findings are made there; the texts are here. */

import type { RuleText } from '../finding.ts';

export const doesNotLoad: RuleText = {
  id: 'PGG190',
  title: 'the schema loads on the target',
  severity: 'blocker',
  background: `Before anything is made for good, the whole schema is loaded into a scratch database of the target, which is dropped afterwards.
A statement that fails there would fail in sync: a function or type that the new version no longer has, an extension that is missing, an
operator that now needs a qualified name. The error is the server's own. Change the object on the source, then check again.`,
};

export const noScratchDatabase: RuleText = {
  id: 'PGG191',
  title: 'a scratch database can be made on the target',
  severity: 'warning',
  background: `Trying the schema out needs the right to create a database on the target (CREATEDB), and a second look at the roles is left to sync
where roles are missing. Without it the schema is first loaded when sync loads it: a failure is found later, nothing worse.`,
};

export const partlyTried: RuleText = {
  id: 'PGG192',
  title: 'the whole schema was tried',
  severity: 'note',
  background: `A check is to be quick: with very many objects the scratch load stops after its time, and what comes later in the dump was not tried.
Nothing is wrong; sync loads all of it before it copies a single row.`,
};

export const scratchRules: readonly RuleText[] = [doesNotLoad, noScratchDatabase, partlyTried];
