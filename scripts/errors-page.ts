/** docs/errors.md out of the registry of error codes. Pure. */

import { type ErrorCodeText, type ErrorFamily, FAMILIES } from '../src/domain/error-codes.ts';
import { GENERATED } from './markdown.ts';

export function errorsPage(codes: readonly ErrorCodeText[]): string {
  const families = Object.keys(FAMILIES) as ErrorFamily[];
  return [
    '# Errors',
    GENERATED,
    'Printed as `error CODE: what happened` and `hint: what to do`; with `-o json` as one JSON object on stderr.',
    'The exit code tells the family. `pgglide explain CODE` prints the same text as this page.',
    '',
    ...families.flatMap((family) => familySection(family, codes)),
  ].join('\n');
}

/** A code of two families stands under both. */
function familySection(family: ErrorFamily, codes: readonly ErrorCodeText[]): string[] {
  const { exitCode, meaning } = FAMILIES[family];
  const members = codes.filter((item) => item.families.includes(family));
  return [
    `## Exit code ${exitCode}: ${meaning}`,
    '',
    ...members.flatMap((item) => [`### ${item.code}`, '', item.meaning, '', `${item.whatToDo}`, '']),
  ];
}
