import type { V1DaemonSet, V1Deployment, V1Pod, V1StatefulSet } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import { blockingPods, isReplaced, ownPods, rolloutState, selectorText } from './kubernetes-rollout.ts';

const rolledOut = { observedGeneration: 2, replicas: 2, updatedReplicas: 2, availableReplicas: 2 };
const deployment = (status: object): V1Deployment => ({
  kind: 'Deployment',
  metadata: { generation: 2 },
  spec: { replicas: 2, selector: {}, template: {} },
  status,
});

describe('a rollout', () => {
  test.each([
    ['all pods new and ready', rolledOut, 'done'],
    ['the controller has not looked yet', { ...rolledOut, observedGeneration: 1 }, 'under-way'],
    ['a pod to be replaced', { ...rolledOut, updatedReplicas: 1 }, 'under-way'],
    ['an old pod too many', { ...rolledOut, replicas: 3 }, 'under-way'],
    ['a new pod that is not ready', { ...rolledOut, availableReplicas: 1 }, 'under-way'],
    [
      'given up by the controller',
      {
        ...rolledOut,
        updatedReplicas: 1,
        conditions: [
          { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message: 'm' },
        ],
      },
      'stuck',
    ],
  ])('of a Deployment: %s', (_, status, is) => {
    expect(rolloutState(deployment(status))).toMatchObject({ is });
  });

  test('whose pods the cluster refuses says why', () => {
    const message = 'pods "shop-1" is forbidden: exceeded quota: team';
    const refused = deployment({
      ...rolledOut,
      updatedReplicas: 1,
      conditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message }],
    });
    expect(rolloutState(refused)).toEqual({
      is: 'under-way',
      waitingFor: `1 of 2 pods to be replaced (${message})`,
    });
  });

  test('has replaced every pod, ready or not', () => {
    expect(isReplaced(deployment({ ...rolledOut, availableReplicas: 0 }))).toBe(true);
    for (const still of [{ observedGeneration: 1 }, { updatedReplicas: 1 }, { replicas: 3 }])
      expect(isReplaced(deployment({ ...rolledOut, ...still }))).toBe(false);
  });

  test('being undone: what the controller said of it before is no verdict on the undo', () => {
    const conditions = [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }];
    const undoing = deployment({ ...rolledOut, replicas: 3, conditions });
    expect(rolloutState(undoing, { isUndo: true })).toEqual({
      is: 'under-way',
      waitingFor: '1 old pods to end',
    });
    expect(rolloutState(deployment({ ...rolledOut, conditions }), { isUndo: true })).toEqual({ is: 'done' });
  });

  test('of a StatefulSet that is put back is blocked by its pods that never became ready, and by no other', () => {
    const pod = (name: string, ready: string, more: object = {}): V1Pod => ({
      metadata: { name, ...more },
      status: { conditions: [{ type: 'Ready', status: ready }] },
    });
    const pods = [
      pod('back', 'False'),
      pod('marked', 'True'),
      pod('marked-and-stuck', 'False'),
      pod('marked-and-ending', 'False', { deletionTimestamp: new Date() }),
    ];
    const isNew = ({ metadata }: V1Pod) => metadata?.name === 'back';
    const blocking = (kind: string, observedGeneration: number) =>
      blockingPods({ ...deployment({ observedGeneration }), kind }, pods, isNew).map(
        (each) => each.metadata?.name,
      );
    expect(blocking('StatefulSet', 2)).toEqual(['marked-and-stuck']);
    // Replaced before the controller knows the template that is back, it would only be the same again.
    expect(blocking('StatefulSet', 1)).toEqual([]);
    expect(blocking('Deployment', 2)).toEqual([]);
  });

  test('of a StatefulSet counts ready pods, of a DaemonSet those of its nodes', () => {
    const set: V1StatefulSet = {
      kind: 'StatefulSet',
      metadata: { generation: 1 },
      spec: { replicas: 1, selector: {}, template: {} },
      status: { observedGeneration: 1, replicas: 1, updatedReplicas: 1, readyReplicas: 0 },
    };
    expect(rolloutState(set)).toEqual({ is: 'under-way', waitingFor: '1 of 1 pods to become ready' });
    const status = { observedGeneration: 1, desiredNumberScheduled: 3, updatedNumberScheduled: 3 };
    const daemons = (numberAvailable: number) =>
      rolloutState({
        kind: 'DaemonSet',
        metadata: { generation: 1 },
        status: { ...status, numberAvailable },
      } as V1DaemonSet);
    expect(daemons(2)).toMatchObject({ is: 'under-way' });
    expect(daemons(3)).toEqual({ is: 'done' });
  });
});

describe('the pods of a workload', () => {
  const owned = (kind: string, name: string, uid: string, hash?: string): V1Pod => ({
    metadata: {
      labels: { app: 'shop', ...(hash === undefined ? {} : { 'pod-template-hash': hash }) },
      ownerReferences: [{ apiVersion: 'v1', kind, name, uid, controller: true }],
    },
  });
  const others = [owned('Job', 'shop-report-1', 'j'), owned('ReplicaSet', 'shop-worker-5d4', 'w', '5d4'), {}];

  test('are those that it made, whoever else has its labels', () => {
    const shop = { ...deployment(rolledOut), metadata: { name: 'shop', uid: 'd' } };
    const own = [owned('ReplicaSet', 'shop-5d4', 'r', '5d4'), owned('ReplicaSet', 'shop-77c', 's', '77c')];
    expect(ownPods(shop, [...others, ...own])).toEqual(own);
    const set: V1StatefulSet = { kind: 'StatefulSet', metadata: { name: 'shop', uid: 's' } };
    const pod = owned('StatefulSet', 'shop', 's');
    expect(ownPods(set, [...others, pod, owned('StatefulSet', 'other', 'o')])).toEqual([pod]);
  });

  test('are asked for by labels and by expressions', () => {
    const matchExpressions = [
      { key: 'tier', operator: 'In', values: ['web', 'api'] },
      { key: 'track', operator: 'NotIn', values: ['canary'] },
      { key: 'app', operator: 'Exists' },
      { key: 'debug', operator: 'DoesNotExist' },
    ];
    expect(selectorText({ matchLabels: { app: 'shop' }, matchExpressions })).toBe(
      'app=shop,tier in (web,api),track notin (canary),app,!debug',
    );
    expect(selectorText({})).toBe('');
  });
});
