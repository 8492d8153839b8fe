/** Looks that least privilege may refuse. */

import { sqlState } from '../connection.ts';
import { INSUFFICIENT_PRIVILEGE } from '../sqlstate.ts';

/** Undefined: this role may not look. Anything else that goes wrong is thrown. */
export async function ifAllowed<T>(look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (sqlState(error) === INSUFFICIENT_PRIVILEGE) return undefined;
    throw error;
  }
}
