import type { V1ConfigMap } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import {
  assertChangeable,
  currentEndpoint,
  letGo,
  originalEndpoint,
  pointAt,
  pointAtProxy,
  reads,
} from './kubernetes-application.ts';

const BY_URL = { kind: 'ConfigMap', name: 'shop', keys: { url: 'URL' } } as const;
const BY_PARTS = { kind: 'ConfigMap', name: 'shop', keys: { host: 'HOST', port: 'PORT' } } as const;
const IN = { migration: 'm', proxy: { host: 'proxy', port: '5432' }, active: 'source' } as const;
const map = (data: Record<string, string>, more: object = {}): V1ConfigMap => ({ data, ...more });
const merged = (holder: V1ConfigMap, patch: object | undefined): V1ConfigMap => {
  const { data, metadata } = (patch ?? {}) as V1ConfigMap;
  const annotations = { ...holder.metadata?.annotations, ...metadata?.annotations };
  return { ...holder, data: { ...holder.data, ...data }, metadata: { annotations } };
};

describe('the application’s configuration', () => {
  test.each([
    [BY_URL, { URL: 'postgresql://a:b@old:5433/d', OTHER: 'x' }],
    [BY_PARTS, { HOST: 'old', PORT: '5433', OTHER: 'x' }],
  ])('is pointed at the proxy once, remembers where it was, and goes back', (application, data) => {
    const before = map(data);
    const inside = merged(before, pointAtProxy(application, before, IN));
    expect(currentEndpoint(application, inside)).toEqual(IN.proxy);
    expect(originalEndpoint(inside)).toEqual({ host: 'old', port: '5433' });
    expect(pointAtProxy(application, inside, IN)).toBeUndefined();
    expect(JSON.stringify(inside.metadata)).not.toContain('a:b');

    const back = merged(inside, pointAt(application, inside, { host: 'old', port: '5433' }));
    expect(back.data).toEqual(data);
    // Pointed at the proxy again after a rollout that was stuck: the first place counts.
    const again = merged(back, pointAtProxy(application, back, IN));
    expect(originalEndpoint(again)).toEqual({ host: 'old', port: '5433' });
    expect(letGo(before)).toBeUndefined();
    expect(letGo(again)).toBeDefined();
  });

  test('that was at the target by then is not remembered as the source', () => {
    const inside = merged(
      map({ URL: 'postgresql://new/d' }),
      pointAtProxy(BY_URL, map({ URL: 'postgresql://new/d' }), { ...IN, active: 'target' }),
    );
    expect(currentEndpoint(BY_URL, inside)).toEqual(IN.proxy);
    expect(originalEndpoint(inside)).toBeUndefined();
  });

  test('that somebody wrote anew as it was, without our notes, is not remembered as pointing at the proxy', () => {
    const written = map({ URL: 'postgresql://proxy:5432/d' });
    const inside = merged(written, pointAtProxy(BY_URL, written, IN));
    expect(inside.metadata?.annotations).toEqual({ 'pgglide.io/migration': 'm' });
    expect(originalEndpoint(inside)).toBeUndefined();
  });

  test('of another migration is not touched', () => {
    const holder = map(
      { URL: 'postgresql://h/d' },
      { metadata: { annotations: { 'pgglide.io/migration': 'other' } } },
    );
    expect(() => pointAtProxy(BY_URL, holder, IN)).toThrow(
      expect.objectContaining({ code: 'application_taken', exitCode: 7 }),
    );
  });

  test('that cannot be changed is refused, without repeating what is in it', () => {
    const secret = map({ URL: 'mysql://root:Sesam7@h/d' });
    expect(() => currentEndpoint(BY_URL, secret)).toThrow(
      expect.objectContaining({
        code: 'application_unreadable',
        message: expect.not.stringContaining('Sesam7'),
      }),
    );
    expect(() => currentEndpoint(BY_PARTS, map({ HOST: 'h' }))).toThrow(
      expect.objectContaining({ code: 'application_key_missing' }),
    );
    const url = map({ URL: 'postgresql://h/d?sslmode=require' });
    const wantsTls = expect.objectContaining({ code: 'application_wants_tls' });
    expect(() => assertChangeable(BY_URL, url, false)).toThrow(wantsTls);
    expect(() => assertChangeable(BY_URL, url, true)).not.toThrow();
    expect(() => assertChangeable(BY_URL, { ...url, immutable: true }, true)).toThrow(
      expect.objectContaining({ code: 'application_immutable' }),
    );
  });

  test('is read by pods as environment, as a file, or as part of one', () => {
    const container = (more: object) => ({ containers: [{ name: 'c', ...more }] });
    const key = { name: 'shop', key: 'URL' };
    for (const pod of [
      container({ envFrom: [{ configMapRef: { name: 'shop' } }] }),
      container({ env: [{ name: 'URL', valueFrom: { configMapKeyRef: key } }] }),
      { ...container({}), volumes: [{ name: 'v', configMap: { name: 'shop' } }] },
      {
        ...container({}),
        volumes: [{ name: 'v', projected: { sources: [{ configMap: { name: 'shop' } }] } }],
      },
    ]) {
      expect(reads(BY_URL, pod)).toBe(true);
      expect(reads({ ...BY_URL, kind: 'Secret' }, pod)).toBe(false);
      expect(reads({ ...BY_URL, name: 'other' }, pod)).toBe(false);
    }
  });
});
