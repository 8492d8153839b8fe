/** An error that a client is to see, in PostgreSQL's own form. */

import { messageOf } from '../base/message-of.ts';
import { errorResponse, type ServerErrorFields } from '../wire/backend.ts';

export class ClientError extends Error {
  /** The ErrorResponse as it is sent. */
  readonly response: Buffer;

  constructor(fields: Omit<ServerErrorFields, 'severity'>) {
    super(fields.message);
    this.name = 'ClientError';
    this.response = errorResponse({ severity: 'FATAL', ...fields });
  }
}

/** The server refused a connection: its own ErrorResponse goes to the client unchanged. */
export class ServerRefusal extends Error {
  readonly response: Buffer;
  readonly code: string;

  constructor(response: Buffer, error: { readonly code: string; readonly message: string }) {
    super(error.message);
    this.name = 'ServerRefusal';
    this.response = response;
    this.code = error.code;
  }
}

/** The ErrorResponse for whatever went wrong while a client was being connected. */
export function responseFor(error: unknown): Buffer {
  if (error instanceof ClientError || error instanceof ServerRefusal) return error.response;
  const reason = messageOf(error);
  return errorResponse({
    severity: 'FATAL',
    code: '08006',
    message: `The proxy cannot connect to the database server: ${reason}`,
  });
}
