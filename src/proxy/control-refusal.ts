/** A control request that is understood and not carried out. */

import type { ErrorKind } from '../base/process-channel.ts';
import type { ControlError } from './control-types.ts';

export class ControlRefusal extends Error {
  readonly status: 400 | 401 | 404 | 405 | 409 | 503;
  readonly code: string;
  readonly hint: string | undefined;

  constructor(status: ControlRefusal['status'], code: string, message: string, hint?: string) {
    super(message);
    this.name = 'ControlRefusal';
    this.status = status;
    this.code = code;
    this.hint = hint;
  }

  toJSON(): ControlError {
    return {
      code: this.code,
      message: this.message,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
    };
  }
}

/** Between the proxy and its workers. */
export const REFUSALS: ErrorKind = {
  pack: (error) =>
    error instanceof ControlRefusal
      ? { status: error.status, code: error.code, hint: error.hint }
      : undefined,
  unpack: (message, packed) => {
    const { status, code, hint } = packed as Pick<ControlRefusal, 'status' | 'code' | 'hint'>;
    return new ControlRefusal(status, code, message, hint);
  },
};
