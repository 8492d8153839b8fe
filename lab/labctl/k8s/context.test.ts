import { expect, test } from 'vitest';
import { isLocal } from './context.ts';

test.each([
  ['default', 'https://127.0.0.1:6443', true],
  ['kind-lab', 'https://10.0.0.5:6443', true],
  ['minikube', 'https://192.168.49.2:8443', true],
  ['anything', 'https://localhost:16443', true],
  ['production', 'https://10.0.0.5:6443', false],
  ['k8s-prod', 'https://k8s.example.com', false],
  ['k3s', 'https://10.0.0.5:6443', true],
  ['k3s-production', 'https://10.0.0.5:6443', false],
  ['microk8s-cluster.example', 'https://10.0.0.5:16443', false],
  ['anything', 'https://localhost.example.com', false],
])('%s at %s is a cluster of this machine: %s', (context, server, expected) => {
  expect(isLocal(context, server)).toBe(expected);
});
