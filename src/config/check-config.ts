/** The schema's verdict in our words: where, which key, what was expected. Pure. */

import type { z } from 'zod';
import { UsageError } from '../domain/errors.ts';
import { unknownKey } from './layers.ts';
import { type Config, configSchema } from './schema.ts';
import { configKeys } from './schema-keys.ts';

/** `where` names the place of a key path: "pgglide.yaml:12", "PGGLIDE_COPY_JOBS". */
export type Locate = (path: readonly PropertyKey[]) => string;

/** @throws {UsageError} `config_unknown_key`, `config_bad_value` */
export function checkConfig(content: Readonly<Record<string, unknown>>, where: Locate): Config {
  const result = configSchema.safeParse(content);
  if (result.success) return result.data;
  const faults = result.error.issues.flatMap((issue) => toErrors(issue, where));
  // An unknown key is most often the reason why another one is missing: it goes first.
  const [first, ...more] = faults.sort((a, b) => rank(a) - rank(b));
  if (first === undefined) throw result.error;
  if (more.length === 0) throw first;
  throw new UsageError(first.code, faults.map((fault) => fault.message).join('\n  '), {
    ...(first.hint === undefined ? {} : { hint: first.hint }),
    facts: { faults: faults.map((fault) => fault.message) },
  });
}

const rank = (error: UsageError): number => (error.code === 'config_unknown_key' ? 0 : 1);

function toErrors(issue: z.core.$ZodIssue, where: Locate): UsageError[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      return unknownKey(path.join('.'), siblings(issue.path), where(path));
    });
  }
  const path = issue.path.join('.');
  const problem = issue.message.replace(/^Invalid input: /, '').replace(/^Invalid option: /, '');
  return [
    new UsageError('config_bad_value', `${where(issue.path)}: ${path}: ${problem}`, {
      hint: 'docs/config.md describes every key.',
      facts: { key: path },
    }),
  ];
}

/** Keys of the same section, and of the whole schema for one that landed in the wrong place. */
function siblings(section: readonly PropertyKey[]): readonly string[] {
  const prefix = section.length === 0 ? '' : `${section.join('.')}.`;
  const all = configKeys().map((key) => key.path);
  return [...all.filter((path) => path.startsWith(prefix)), ...all];
}
