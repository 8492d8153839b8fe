import { query } from '../wire/frontend.ts';

/** A Query of ours that reads whole catalogs: the role's statement_timeout is meant for the application's statements. Both are one transaction. */
export const patientQuery = (text: string): Buffer => query(`SET LOCAL statement_timeout = 0; ${text}`);
