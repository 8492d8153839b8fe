/** Events as NDJSON: an event is the log line. */

import type { Observer, Sink } from './observer.ts';

export const logObserver = (sink: Sink): Observer => ({
  onEvent: (event) => {
    sink.write(`${JSON.stringify(event)}\n`);
  },
  clear: () => undefined,
  close: () => undefined,
});
