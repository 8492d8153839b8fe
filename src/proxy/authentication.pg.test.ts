/** Log-ins of every kind, in clear and over TLS. */

import { execFile } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { describe, expect } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { type ProxyBed, startProxyBed } from '../../test/support/proxy-bed.ts';
import { selfSigned } from '../../test/support/self-signed.ts';
import { until } from '../base/async.ts';
import { startupMessage } from '../wire/frontend.ts';

const run = promisify(execFile);

const psql = (bed: ProxyBed, options: string) =>
  run(
    'psql',
    [
      '-X',
      '-A',
      '-t',
      '-c',
      'SELECT 42',
      `host=localhost hostaddr=127.0.0.1 port=${bed.proxy.port} user=${bed.role} dbname=${bed.database} ${options}`,
    ],
    {
      env: { ...process.env, PGPASSWORD: bed.password },
    },
  );

/** A proxy over TLS needs its certificate before it is there: the folder of another bed lends itself. */
async function tlsBed(source: Database, target: Database, folder: string) {
  const clientTls = await selfSigned(folder, 'proxy');
  return { clientTls, bed: await startProxyBed(source, target, { clientTls }) };
}

describe('TLS to clients', () => {
  test('verifies, binds the channel, and keeps the session through a switch', async ({ source, target }) => {
    await using outer = await startProxyBed(source, target);
    const { bed, clientTls } = await tlsBed(source, target, outer.folder);
    await using _ = bed;
    const verified = `sslmode=verify-full sslrootcert=${clientTls.certFile}`;
    expect((await psql(bed, `${verified} channel_binding=require`)).stdout.trim()).toBe('42');
    expect((await psql(bed, 'sslmode=disable')).stdout.trim()).toBe('42');
    const client = await bed.connect({ ssl: { rejectUnauthorized: false } });
    await bed.switchSides();
    expect((await client.query("SELECT length(repeat('x', 1000000)) AS n")).rows).toEqual([{ n: 1_000_000 }]);
    await client.end();
  });

  test('carries the errors of a log-in, too', async ({ source, target }) => {
    await using outer = await startProxyBed(source, target);
    const { bed } = await tlsBed(source, target, outer.folder);
    await using _ = bed;
    await expect(
      bed.connect({ ssl: { rejectUnauthorized: false }, password: 'wrong' }),
    ).rejects.toMatchObject({ code: '28P01' });
  });

  test('begins at once when the client says so, and only for PostgreSQL', async ({ source, target }) => {
    await using outer = await startProxyBed(source, target);
    const { bed } = await tlsBed(source, target, outer.folder);
    await using _ = bed;
    const greet = (ALPNProtocols: string[]) =>
      new Promise<string>((resolve, reject) => {
        const socket = tls.connect({
          port: bed.proxy.port,
          host: '127.0.0.1',
          rejectUnauthorized: false,
          ALPNProtocols,
        });
        socket.on('error', reject);
        socket.on('secureConnect', () => socket.write(startupMessage(new Map([['user', bed.role]]))));
        socket.on('data', (data: Buffer) => {
          resolve(data.toString('latin1'));
          socket.destroy();
        });
      });
    expect(await greet(['postgresql'])).toContain('SCRAM-SHA-256-PLUS');
    await expect(greet(['http/1.1'])).rejects.toThrow();
  });

  test('takes a new certificate without a restart', async ({ source, target }) => {
    await using outer = await startProxyBed(source, target);
    const { bed, clientTls } = await tlsBed(source, target, outer.folder);
    await using _ = bed;
    const shown = () =>
      new Promise<string>((resolve, reject) => {
        const socket = tls.connect({
          port: bed.proxy.port,
          host: '127.0.0.1',
          rejectUnauthorized: false,
          ALPNProtocols: ['postgresql'],
        });
        socket.on('error', reject);
        socket.on('secureConnect', () => {
          resolve(String(socket.getPeerCertificate().subject.CN));
          socket.destroy();
        });
      });
    expect(await shown()).toBe('proxy');
    const renewed = await selfSigned(outer.folder, 'renewed');
    await run('cp', [renewed.keyFile, clientTls.keyFile]);
    await run('cp', [renewed.certFile, clientTls.certFile]);
    await until('the new certificate', async () => ((await shown()) === 'renewed' ? true : undefined), {
      timeoutMs: 5_000,
    });
  });

  test('refuses what was sent in clear behind the request for encryption', async ({ source, target }) => {
    await using outer = await startProxyBed(source, target);
    const { bed } = await tlsBed(source, target, outer.folder);
    await using _ = bed;
    const answer = await new Promise<string>((resolve) => {
      let text = '';
      const socket = net.connect(bed.proxy.port, '127.0.0.1', () =>
        socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47, 1, 2, 3])),
      );
      socket.on('data', (data: Buffer) => {
        text += data.toString('latin1');
      });
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(text));
    });
    expect(answer).toContain('unencrypted data after the encryption request');
  });
});

describe('the users file', () => {
  test('gives passwords and verifiers where the server does not show them', async ({ source, target }) => {
    await using outer = await startProxyBed(source, target);
    const usersFile = join(outer.folder, 'users');
    const { role, password } = outer;
    await writeFile(usersFile, `; comment\n"${role}" "${password.replaceAll('"', '""')}"\n`, { mode: 0o600 });
    await using bed = await startProxyBed(source, target, {
      usersFile,
      lookupVerifier: async () => undefined,
    });
    const client = await bed.connect({ user: role });
    // Known by its password, the role may have another verifier on the other side.
    await target.exec(`ALTER ROLE "${role}" PASSWORD 'a "secret" of ours'`);
    await bed.switchSides();
    await client.query('SELECT 1');
    await client.end();
    await expect(bed.connect({ user: role, password: 'wrong' })).rejects.toMatchObject({ code: '28P01' });
    await expect(bed.connect()).rejects.toMatchObject({ code: '28P01' });
  });

  test('must not be open to others, and is named by line when it is wrong', async ({ source, target }) => {
    await using outer = await startProxyBed(source, target);
    const usersFile = join(outer.folder, 'users');
    await writeFile(usersFile, '"a" "b"\n', { mode: 0o600 });
    await chmod(usersFile, 0o640);
    await expect(startProxyBed(source, target, { usersFile })).rejects.toMatchObject({
      code: 'users_file_open_to_others',
      exitCode: 2,
    });
    await chmod(usersFile, 0o600);
    await writeFile(usersFile, '"a" "b"\n"secret without a role\n');
    await expect(startProxyBed(source, target, { usersFile })).rejects.toThrow(
      /^Line 2 of .* is not "role" "secret"$/,
    );
  });
});

test('md5, password and trust servers are logged in to as they ask', async ({ ownServers }) => {
  const [first, second] = await ownServers([15, 16]);
  if (first === undefined || second === undefined) throw new Error('no servers');
  const { default: pg } = await import('pg');
  const { appendFile, readFile } = await import('node:fs/promises');
  for (const server of [first, second]) {
    const admin = new pg.Client({ ...server.address() } as object);
    await admin.connect();
    await admin.query(
      "SET password_encryption = 'md5'; CREATE ROLE hashed LOGIN PASSWORD 'secret'; CREATE ROLE plain LOGIN PASSWORD 'secret'",
    );
    const hba = join(server.dataDirectory, 'pg_hba.conf');
    const before = await readFile(hba, 'utf8');
    await writeFile(hba, `host all hashed 127.0.0.1/32 md5\nhost all plain 127.0.0.1/32 password\n${before}`);
    await appendFile(hba, '');
    await admin.query('SELECT pg_reload_conf()');
    await admin.end();
  }
  const { startProxy } = await import('./start-proxy.ts');
  const { mkdtemp, rm } = await import('node:fs/promises');
  const folder = await mkdtemp('/tmp/pgglide-auth-');
  const usersFile = join(folder, 'users');
  await writeFile(usersFile, '"plain" "secret"\n', { mode: 0o600 });
  const admin = new pg.Client({ ...first.address() } as object);
  await admin.connect();
  const proxy = await startProxy({
    listen: { host: '127.0.0.1', port: 0 },
    servers: { source: first.address(), target: second.address() },
    lookupVerifier: async (user) =>
      (await admin.query<{ v: string }>('SELECT rolpassword AS v FROM pg_authid WHERE rolname = $1', [user]))
        .rows[0]?.v,
    askActiveSide: async () => undefined,
    control: { unixPath: join(folder, 'control') },
    usersFile,
  });
  const { openProxySwitch } = await import('../traffic/proxy-switch.ts');
  const { switchSides } = await import('../../test/support/proxy-bed.ts');
  await using traffic = openProxySwitch([proxy.controlAddress], 'test');
  const login = async (user: string, password = 'secret') => {
    const client = new pg.Client({
      host: '127.0.0.1',
      port: proxy.port,
      user,
      password,
      database: 'postgres',
    });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  const clients = await Promise.all([login('hashed'), login('plain')]);
  await switchSides(traffic);
  for (const client of clients) {
    expect(
      (await client.query("SELECT current_setting('server_version_num')::int / 10000 AS v")).rows,
    ).toEqual([{ v: 16 }]);
    await client.end();
  }
  await expect(login('hashed', 'wrong')).rejects.toMatchObject({ code: '28P01' });
  await admin.end();
  await proxy.close();
  await rm(folder, { recursive: true });
});
