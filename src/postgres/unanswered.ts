/**
 * A statement without an answer. It may take hours; or the network has broken without a word, and our system would go on trying for a
 * quarter of an hour. So the server is asked over another connection whether it is at work at all.
 */

const LOOK_EVERY_MS = 60_000;
/** One look may meet the moment in which the answer is on its way. */
const VAIN_LOOKS = 2;

export interface Unanswered {
  /** Bytes received so far: where some come there is nothing to ask. */
  received(): number;
  isAtWork(): Promise<boolean>;
  giveUp(): void;
}

/** @returns ends the watch */
export function watchUnanswered({ received, isAtWork, giveUp }: Unanswered): () => void {
  let isOver = false;
  let vain = 0;
  let before = received();
  let timer: NodeJS.Timeout;
  const look = async () => {
    const now = received();
    vain = now === before && !(await isAtWork()) ? vain + 1 : 0;
    before = now;
    if (isOver) return;
    if (vain < VAIN_LOOKS) timer = begin();
    else giveUp();
  };
  const begin = () => setTimeout(() => void look(), LOOK_EVERY_MS).unref();
  timer = begin();
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}
