/** `explain`: error codes and findings from the same texts as the manual. */

import { nearest } from '../config/nearest.ts';
import { ERROR_CODES, FAMILIES } from '../domain/error-codes.ts';
import { UsageError } from '../domain/errors.ts';
import { rules } from '../domain/preflight/preflight.ts';

export interface Explanation {
  readonly code: string;
  /** "error, exit code 2", "finding of check, blocker" */
  readonly kind: string;
  readonly meaning: string;
  readonly whatToDo: string;
}

/** @throws {UsageError} `unknown_code` */
export function explanationOf(code: string): Explanation {
  const error = ERROR_CODES.find((known) => known.code === code.toLowerCase());
  if (error !== undefined) {
    const exitCodes = error.families.map((family) => FAMILIES[family].exitCode).join(' or ');
    return { ...error, kind: `error, exit code ${exitCodes}` };
  }
  const rule = rules.find((known) => known.id === code.toUpperCase());
  if (rule !== undefined) {
    const { id, severity, title, background } = rule;
    return {
      code: id,
      kind: `finding of check, at worst a ${severity}`,
      meaning: title,
      whatToDo: background,
    };
  }
  const known = [...ERROR_CODES.map((item) => item.code), ...rules.map((item) => item.id)];
  const similar = nearest(code, known);
  throw new UsageError('unknown_code', `There is no code "${code}"`, {
    hint: similar === undefined ? 'docs/errors.md lists all.' : `Did you mean ${similar}?`,
  });
}
