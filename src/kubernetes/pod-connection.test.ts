/** The cluster itself is in test/k8s; here is what it does only now and then. */

import type { PassThrough } from 'node:stream';
import type { PortForward } from '@kubernetes/client-node';
import { expect, test } from 'vitest';
import { connectToPod } from './pod-connection.ts';

const REFUSED = 'failed to connect to localhost:7432: connection refused';
const POD = { namespace: 'n', pod: 'p', port: 7432 };

/** A way to a pod whose kubelet's words are `errors`. */
function forwarding(whenAsked: (errors: PassThrough) => void): PortForward {
  const portForward = async (...given: [string, string, number[], PassThrough, PassThrough]) => {
    whenAsked(given[4]);
    await new Promise((resolve) => setImmediate(resolve));
    return { onclose: null, onerror: null, close: () => undefined };
  };
  return { portForward } as unknown as PortForward;
}

test('a refusal that comes before the connection is handed over is its failure', async () => {
  const refusing = forwarding((errors) => errors.write(REFUSED));
  await expect(connectToPod(refusing, POD)).rejects.toThrow(REFUSED);
});

test('one that comes before anybody listens ends the connection, and not the process', async () => {
  let kubelet: PassThrough | undefined;
  const connection = await connectToPod(
    forwarding((errors) => {
      kubelet = errors;
    }),
    POD,
  );
  const closed = new Promise((resolve) => connection.once('close', resolve));
  kubelet?.write(REFUSED);
  await closed;
  expect(connection.errored?.message).toBe(REFUSED);
});
