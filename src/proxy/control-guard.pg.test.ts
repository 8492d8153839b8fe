/** Commands from beyond this machine: over TLS, with the token, or not at all. */

import { access, chmod, copyFile, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { Database } from '../../test/support/database.ts';
import { test } from '../../test/support/fixture.ts';
import { startProxyBed, switchSides } from '../../test/support/proxy-bed.ts';
import { selfSigned } from '../../test/support/self-signed.ts';
import { openProxySwitch } from '../traffic/proxy-switch.ts';

const TOKEN = 'f'.repeat(64);

async function guardedBed(source: Database, target: Database) {
  const folder = await mkdtemp(join(tmpdir(), 'pgglide-guard-'));
  const tls = await selfSigned(folder, 'proxy');
  const tokenFile = join(folder, 'token');
  await writeFile(tokenFile, `${TOKEN}\n`, { mode: 0o600 });
  const control = { host: '0.0.0.0', port: 0, guard: { tokenFile, tls } };
  const bed = await startProxyBed(source, target, { control });
  const address = bed.proxy.controlAddress.replace('0.0.0.0', 'localhost');
  return {
    bed,
    folder,
    tls,
    tokenFile,
    address,
    async [Symbol.asyncDispose]() {
      await bed[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

test('whoever has the token and trusts the certificate switches', async ({ source, target }) => {
  await using guarded = await guardedBed(source, target);
  const { address, tokenFile, tls } = guarded;
  expect(address).toMatch(/^https:/);
  await using traffic = openProxySwitch([address], 'test', { tokenFile, caFile: tls.certFile });
  const client = await guarded.bed.connect();
  expect((await switchSides(traffic)).waits).toMatchObject({ sessionsMoved: 1, failedRequests: 0 });
  await client.end();
});

test('nobody else does', async ({ source, target }) => {
  await using guarded = await guardedBed(source, target);
  const { address, folder, tls } = guarded;
  const other = join(folder, 'other');
  await writeFile(other, 'e'.repeat(64), { mode: 0o600 });
  const observe = async (access: Parameters<typeof openProxySwitch>[2], to = address) => {
    await using traffic = openProxySwitch([to], 'test', access);
    return await traffic.observe();
  };
  const refused = { code: 'token_refused', exitCode: 7 };
  await expect(observe({ tokenFile: other, caFile: tls.certFile })).rejects.toMatchObject(refused);
  await expect(observe({ caFile: tls.certFile })).rejects.toMatchObject(refused);
  // A certificate that nobody vouches for, and no TLS at all: the token does not leave.
  await expect(observe({ tokenFile: other })).rejects.toMatchObject({ code: 'proxy_unreachable' });
  await expect(observe({ tokenFile: other }, address.replace('https', 'http'))).rejects.toMatchObject({
    code: 'proxy_unreachable',
  });
});

test('a renewed certificate is shown, and a token that others may read is none', async ({
  source,
  target,
}) => {
  await using guarded = await guardedBed(source, target);
  const { address, folder, tls, tokenFile } = guarded;
  const renewed = await selfSigned(folder, 'renewed');
  await copyFile(renewed.keyFile, tls.keyFile);
  await copyFile(renewed.certFile, tls.certFile);
  await using traffic = openProxySwitch([address], 'test', { tokenFile, caFile: renewed.certFile });
  expect(await traffic.observe()).toMatchObject({ activeSide: 'source' });
  await chmod(tokenFile, 0o644);
  await expect(traffic.observe()).rejects.toMatchObject({ code: 'token_refused' });
  expect(() => openProxySwitch([address], 'test', { tokenFile })).toThrow(/Others may read/);
});

test('without a token and a certificate it listens to this machine only', async ({ source, target }) => {
  const control = { host: '0.0.0.0', port: 0 };
  await expect(startProxyBed(source, target, { control })).rejects.toMatchObject({
    code: 'control_open_to_others',
  });
});

test('a state file that cannot be written is told before anybody is served', async ({ source, target }) => {
  const folder = await mkdtemp(join(tmpdir(), 'pgglide-guard-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const stateFile = join(folder, 'no such folder', 'state');
  await expect(startProxyBed(source, target, { stateFile, assume: 'source' })).rejects.toMatchObject({
    code: 'file_not_written',
    exitCode: 2,
  });
});

test.runIf(process.platform === 'linux')(
  'a full disk does not keep a proxy that starts from serving',
  async ({ source, target }) => {
    const folder = await mkdtemp(join(tmpdir(), 'pgglide-guard-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const stateFile = join(folder, 'state');
    await symlink('/dev/full', `${stateFile}.${process.pid}`);
    const told: string[] = [];
    const warn = (text: string) => told.push(text);
    await using bed = await startProxyBed(source, target, { stateFile, assume: 'source', warn });
    const client = await bed.connect();
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await client.end();
    expect(told).toEqual([expect.stringContaining('The state file could not be written: ENOSPC')]);
  },
);

test('another proxy of the same folder is refused, and leaves the state file alone', async ({
  source,
  target,
}) => {
  const folder = await mkdtemp(join(tmpdir(), 'pgglide-guard-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const stateFile = join(folder, 'state');
  const same = { control: { unixPath: join(folder, 'control') }, stateFile };
  await using bed = await startProxyBed(source, target, { ...same, assume: 'source' });
  await rm(stateFile);
  const second = startProxyBed(source, target, { ...same, assume: 'target' });
  await expect(second).rejects.toMatchObject({ code: 'control_taken', exitCode: 2 });
  await expect(access(stateFile)).rejects.toThrow(/ENOENT/);
  expect(await bed.traffic.observe()).toMatchObject({ activeSide: 'source' });
});
