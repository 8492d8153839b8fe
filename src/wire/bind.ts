/** The body of a Bind behind its two names: parameter formats, parameters, result formats. */

import { BodyReader } from './bytes.ts';
import { ProtocolError } from './protocol-error.ts';

/** All but the result formats; undefined when the body is cut short. */
export function bindParameters(tail: Buffer): Buffer | undefined {
  const reader = new BodyReader(tail);
  try {
    reader.bytes(2 * reader.int16());
    for (let left = reader.int16(); left > 0; left--) reader.bytes(Math.max(0, reader.int32()));
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
  return tail.subarray(0, tail.length - reader.left);
}

/** The value of parameter `$position`; undefined when it is null, or the body has no such one. */
export function boundValue(tail: Buffer, position: number): Buffer | undefined {
  const reader = new BodyReader(tail);
  try {
    reader.bytes(2 * reader.int16());
    if (position > reader.int16()) return undefined;
    for (let before = position - 1; before > 0; before--) reader.bytes(Math.max(0, reader.int32()));
    const size = reader.int32();
    return size < 0 ? undefined : reader.bytes(size);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
