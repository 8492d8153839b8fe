/** What clients are told instead of being served. */

import type { ServerErrorFields } from '../wire/backend.ts';

export type Refusal = Omit<ServerErrorFields, 'severity'>;

export const NOT_KNOWN_YET: Refusal = {
  code: '57P03',
  message: 'the proxy does not know yet which server is the active one',
  hint: 'The target cannot be asked, and the proxy remembers nothing. Try again when the target server is there.',
};

export const CANNOT_TELL: Refusal = {
  code: '57P03',
  message: 'the proxy cannot find out which server is the active one',
  hint: 'The switch was interrupted and the migration row cannot be read. Try again when the target server is back.',
};

export const couldNotFollow = (reason: string): Refusal => ({
  code: '57P01',
  message: `terminating connection: the session could not follow the database to its new server: ${reason}`,
  hint: 'Connect again.',
});
