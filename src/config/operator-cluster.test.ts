import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadSettings } from './load.ts';
import { clusterAccess } from './operator-cluster.ts';
import type { SecretRef } from './secret.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgglide-secret-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** As the kubelet lays it out: a folder a Secret, links of its own beside the keys. */
function mount(name: string, content: Readonly<Record<string, string>>): void {
  mkdirSync(join(folder, 'secrets', name, '..data'), { recursive: true });
  for (const [key, value] of Object.entries(content)) {
    writeFileSync(join(folder, 'secrets', name, key), value);
  }
}

function load(yaml: string, more: Partial<Parameters<typeof loadSettings>[0]> = {}) {
  writeFileSync(join(folder, 'pgglide.yaml'), yaml);
  const env = { PGGLIDE_SECRETS: join(folder, 'secrets'), PGGLIDE_NAMESPACE: 'shop' };
  return loadSettings({ flags: {}, env, cwd: folder, home: folder, osUser: 'tester', ...more });
}

const CLOUDNATIVE = 'kubernetes: { operator: cloudnative-pg, cluster: pg15, namespace: shop }';
const TARGET = 'target: postgresql://pgglide@pg16:5432/shop';

describe('what operators document', () => {
  test.each([
    ['cloudnative-pg', undefined, 'pg15-rw.shop.svc', 'pg15-superuser', 'pg15-ca'],
    ['cloudnative-pg', 'app', 'pg15-rw.shop.svc', 'pg15-app', 'pg15-ca'],
    ['zalando', undefined, 'pg15.shop.svc', 'postgres.pg15.credentials.postgresql.acid.zalan.do', undefined],
    [
      'zalando',
      'shop_owner',
      'pg15.shop.svc',
      'shop-owner.pg15.credentials.postgresql.acid.zalan.do',
      undefined,
    ],
    ['crunchy', undefined, 'pg15-primary.shop.svc', 'pg15-pguser-postgres', 'pg15-cluster-cert'],
  ] as const)('%s, role %s', (operator, user, host, secret, authority) => {
    const access = clusterAccess({ operator, cluster: 'pg15', namespace: 'shop', user });
    expect([access.host, access.login.name, access.authority?.name]).toEqual([host, secret, authority]);
  });
});

describe('a server by its cluster’s name', () => {
  test('takes role, password and port from the Secret, and checks the certificate against the mounted authority', async () => {
    mount('pg15-superuser', { username: 'postgres', password: 'p1', dbname: '*', port: '5433' });
    mount('pg15-ca', { 'ca.crt': 'a certificate' });
    const settings = await load(`source: { ${CLOUDNATIVE}, database: shop }\n${TARGET}\n`);
    expect(settings.source).toMatchObject({
      host: 'pg15-rw.shop.svc',
      port: 5433,
      user: 'postgres',
      password: 'p1',
      database: 'shop',
      sslMode: 'verify-full',
      sslRootCert: join(folder, 'secrets', 'pg15-ca', 'ca.crt'),
    });
    // The other server has no such file.
    expect(settings.sourceForTarget).toMatchObject({ sslMode: 'require', password: 'p1' });
    expect(settings.sourceForTarget.sslRootCert).toBeUndefined();
  });

  test('never goes below TLS, and says when nobody vouches for the server', async () => {
    mount('pg15-superuser', { username: 'postgres', password: 'p1', dbname: '*' });
    const warnings: string[] = [];
    const warn = (message: string) => void warnings.push(message);
    const settings = await load(`source: { ${CLOUDNATIVE}, database: shop }\n${TARGET}\n`, { warn });
    expect(settings.source.sslMode).toBe('require');
    expect(warnings.join()).toContain('sslrootcert');
  });

  test('what the section says itself wins', async () => {
    mount('pg15-superuser', { username: 'postgres', password: 'p1', dbname: '*' });
    const source = `{ ${CLOUDNATIVE}, database: shop, host: 127.0.0.1, port: 7000, sslmode: prefer }`;
    const settings = await load(`source: ${source}\n${TARGET}\n`);
    expect(settings.source).toMatchObject({ host: '127.0.0.1', port: 7000, sslMode: 'prefer' });
  });

  test('a superuser’s Secret names no database: it must be said', async () => {
    mount('pg15-superuser', { username: 'postgres', password: 'p1', dbname: '*' });
    const loading = load(`source: { ${CLOUDNATIVE} }\n${TARGET}\n`);
    await expect(loading).rejects.toMatchObject({ code: 'database_missing_in_secret', exitCode: 2 });
  });

  test('in another namespace than the pod’s the cluster is asked, never the mounted folder', async () => {
    mount('pg15-superuser', { username: 'postgres', password: 'of another cluster', dbname: '*' });
    const asked: SecretRef[] = [];
    const readSecret = async (ref: SecretRef) => {
      asked.push(ref);
      return { username: 'postgres', password: 'p2' };
    };
    const far = CLOUDNATIVE.replace('shop', 'elsewhere');
    const settings = await load(`source: { ${far}, database: shop }\n${TARGET}\n`, { readSecret });
    expect(settings.source.password).toBe('p2');
    expect(asked).toEqual([{ name: 'pg15-superuser', namespace: 'elsewhere' }]);
  });
});

describe('passwordFrom.secretKeyRef', () => {
  const source = (ref: string) =>
    `source: { uri: "postgresql://pgglide@pg15:5432/shop", passwordFrom: { secretKeyRef: ${ref} } }\n${TARGET}\n`;

  test('reads the mounted key', async () => {
    mount('login', { password: 'p3\n' });
    const settings = await load(source('{ name: login }'));
    expect(settings.source.password).toBe('p3');
  });

  test('a key that is not there is told with those that are', async () => {
    mount('login', { pass: 'p3' });
    const failure = await load(source('{ name: login }')).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'secret_key_missing', hint: 'Its keys: pass.' });
    expect(JSON.stringify(failure)).not.toContain('p3');
  });

  test('without mount and cluster it says where it would be read', async () => {
    await expect(load(source('{ name: login }'))).rejects.toMatchObject({ code: 'secret_unavailable' });
  });
});
