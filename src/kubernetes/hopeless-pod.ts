/** Pods that will not start as they are. Pure. */

import type { V1Pod } from '@kubernetes/client-node';

/** The kubelet tries these for ever, and they do not mend themselves. */
const HOPELESS: ReadonlySet<string> = new Set([
  'ErrImageNeverPull',
  'ImagePullBackOff',
  'InvalidImageName',
  'CreateContainerConfigError',
]);
/** A kubelet that is busy has not heard yet what a ConfigMap or Secret holds. */
const isMomentary = (message: string | undefined): boolean => message?.startsWith('failed to sync') ?? false;
const TRIES = 3;

/** Why a pod will not start, as the kubelet says; undefined while it may. */
export function hopelessReason({ metadata, status }: V1Pod): string | undefined {
  for (const { image, restartCount, state, lastState } of status?.containerStatuses ?? []) {
    const { reason = '', message } = state?.waiting ?? {};
    if (HOPELESS.has(reason) && !isMomentary(message))
      return `${metadata?.name}: ${reason} ${message ?? ''} (image ${image})`;
    if (reason === 'CrashLoopBackOff' && restartCount >= TRIES) {
      return `${metadata?.name} ends with exit code ${lastState?.terminated?.exitCode} at each start`;
    }
  }
  return undefined;
}
