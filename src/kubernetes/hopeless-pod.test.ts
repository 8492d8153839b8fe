import type { V1Pod } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import { hopelessReason } from './hopeless-pod.ts';

describe('a pod', () => {
  const pod = (restartCount: number, reason: string, message = 'why'): V1Pod => ({
    metadata: { name: 'p' },
    status: {
      containerStatuses: [
        {
          name: 'c',
          image: 'i:1',
          imageID: '',
          ready: false,
          restartCount,
          state: { waiting: { reason, message } },
          lastState: { terminated: { exitCode: 4 } },
        },
      ],
    },
  });
  test('whose image cannot be had, or that ends at each start, is hopeless; one that starts is not', () => {
    expect(hopelessReason(pod(0, 'ImagePullBackOff'))).toBe('p: ImagePullBackOff why (image i:1)');
    expect(hopelessReason(pod(3, 'CrashLoopBackOff'))).toBe('p ends with exit code 4 at each start');
    expect(hopelessReason(pod(1, 'CrashLoopBackOff'))).toBeUndefined();
    expect(hopelessReason(pod(0, 'ContainerCreating'))).toBeUndefined();
  });
  test('whose ConfigMap the kubelet could not read in time is not hopeless: it tries again', () => {
    const config = (message: string) => hopelessReason(pod(0, 'CreateContainerConfigError', message));
    expect(config('configmap "app" not found')).toContain('not found');
    expect(config('failed to sync configmap cache: timed out waiting for the condition')).toBeUndefined();
  });
});
