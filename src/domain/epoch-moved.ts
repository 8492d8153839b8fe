/** A run finds that another one has switched the migration since it looked. */

import { RefusedError } from './errors.ts';

export const epochMoved = (message: string, facts: Readonly<Record<string, unknown>>): RefusedError =>
  new RefusedError('epoch_moved', message, { hint: 'Look at pgglide status before you go on.', facts });
