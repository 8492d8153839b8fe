import { PassThrough, type Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { expect, test } from 'vitest';
import type { Cluster } from '../cluster.ts';
import { followJob } from './follow-job.ts';

const job = (type?: string): V1Job => ({
  metadata: { name: 'j', uid: 'u' },
  status: { conditions: type === undefined ? [] : [{ type, status: 'True' }] },
});
/** As the kubelet lists them: by name. */
const pod = (exitCode?: number): V1Pod => ({
  metadata: {
    name: 'p',
    uid: 'p',
    ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'j', uid: 'u' }],
  },
  status: {
    containerStatuses: [
      { name: 'istio-proxy', state: { terminated: { exitCode: 0 } } },
      {
        name: 'pgglide',
        state: exitCode === undefined ? { running: {} } : { terminated: { exitCode } },
      },
    ] as never,
  },
});

interface Followed {
  readonly jobs: readonly V1Job[];
  readonly pods: readonly V1Pod[];
  readonly logs: readonly ((into: Writable) => void)[];
}

/** Each is answered in turn, the last one for good. */
async function follow({ jobs, pods, logs }: Followed) {
  const inTurn = <T>(all: readonly T[]) => {
    let next = 0;
    return () => all[Math.min(next++, all.length - 1)] as T;
  };
  const [nextJob, nextPod, nextLog] = [inTurn(jobs), inTurn(pods), inTurn(logs)];
  const asked: object[] = [];
  const cluster = {
    namespace: 'n',
    read: async () => nextJob(),
    list: async () => [nextPod()],
    logs: async (_pod: string, _container: string, into: Writable, options: object) => {
      asked.push(options);
      nextLog()(into);
      return new AbortController();
    },
  } as unknown as Cluster;
  const into = new PassThrough();
  const signal = AbortSignal.timeout(20_000);
  const exitCode = await followJob(cluster, { job: 'j', into, signal, told: () => undefined });
  into.end();
  return { exitCode, log: await text(into), asked };
}

test('the exit code is our container’s, whatever else runs in the pod', async () => {
  const { exitCode } = await follow({
    jobs: [job('Failed')],
    pods: [pod(6)],
    logs: [(into) => into.end('given up\n')],
  });
  expect(exitCode).toBe(6);
});

test('a log whose connection breaks goes on, and ends with the Job', async () => {
  const { exitCode, log, asked } = await follow({
    jobs: [job(), job(), job('Complete')],
    pods: [pod(), pod(0)],
    logs: [
      (into) => {
        const answer = new PassThrough().on('error', () => undefined);
        answer.pipe(into);
        answer.write('one\n', () => answer.destroy(new Error('Premature close')));
      },
      (into) => into.end('two\n'),
    ],
  });
  expect({ exitCode, log }).toEqual({ exitCode: 0, log: 'one\ntwo\n' });
  expect(asked).toEqual([{ follow: true }, { follow: true, sinceSeconds: expect.any(Number) }]);
});
