/** How fast the copy may go, looked up again and again while it runs. */

import { sleep } from '../base/async.ts';
import type { PaceSettings } from '../domain/pace.ts';

export interface CopyPace extends AsyncDisposable {
  readonly now: PaceSettings;
}

const POLL_MS = 1_000;

/**
 * Looks once before it resolves and then every second. A later look that fails changes nothing: a server that cannot be reached
 * ends the copy by itself.
 *
 * @param onPaused called when the copy comes to a stand, with the reason, and when the reason changes
 */
export async function watchPace(
  look: () => Promise<PaceSettings>,
  onPaused: (reason: string) => void,
): Promise<CopyPace> {
  const stop = new AbortController();
  const tell = (reason: string | undefined, before: string | undefined) => {
    if (reason !== undefined && reason !== before) onPaused(reason);
  };
  let now = await look();
  tell(now.pausedBy, undefined);
  const lookOnce = async () => {
    const before = now.pausedBy;
    now = await look().catch(() => now);
    tell(now.pausedBy, before);
  };
  const looking = (async () => {
    while (!stop.signal.aborted) {
      await sleep(POLL_MS, stop.signal).catch(() => undefined);
      if (!stop.signal.aborted) await lookOnce();
    }
  })();
  return {
    get now() {
      return now;
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await looking;
    },
  };
}
