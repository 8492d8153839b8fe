/** The program as a user starts it, where the system lets it open few files. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { expect } from 'vitest';
import { Tool } from '../../test/e2e/tool.ts';
import { test } from '../../test/support/fixture.ts';
import { startProxyBed } from '../../test/support/proxy-bed.ts';
import type { ServerAddress } from '../config/server-address.ts';
import { freePort } from '../embedded/port.ts';
import { sessionsWithin } from '../proxy/open-files.ts';
import { openProxySwitch } from '../traffic/proxy-switch.ts';

const PROGRAM = fileURLToPath(new URL('../../bin/pgglide.js', import.meta.url));
const OPEN_FILES = 280;

const place = ({ host, port, user, database }: ServerAddress): string =>
  JSON.stringify(`postgresql://${user}@${host}:${port}/${encodeURIComponent(database)}`);

test('one client more than its open files allow is told so, commands still reach it, and a switch that they do not allow is not begun', async ({
  source,
  target,
}) => {
  await using bed = await startProxyBed(source, target);
  const port = await freePort();
  const control = `unix:${join(bed.folder, 'limited')}`;
  const lines = [
    `source: ${place(source.address)}`,
    `target: ${place(target.address)}`,
    `proxy: { listen: "127.0.0.1:${port}", control: ${JSON.stringify(control)} }`,
  ];
  await writeFile(join(bed.folder, 'pgglide.yaml'), lines.join('\n'));
  const passwords = {
    PGPASSWORD: source.address.password ?? '',
    PGGLIDE_TARGET_PASSWORD: target.address.password ?? '',
  };
  const start = `ulimit -n ${OPEN_FILES}; exec "${process.execPath}" "${PROGRAM}" proxy --assume source`;
  const proxy = new Tool(['bash', '-c', start], passwords, bed.folder);
  await using traffic = openProxySwitch([control], 'test');
  const clients: pg.Client[] = [];
  try {
    await proxy.says('listening on');
    const most = sessionsWithin(OPEN_FILES);
    while (clients.length < most) clients.push(await bed.connect({ port }));
    await expect(bed.connect({ port })).rejects.toMatchObject({ code: '53300' });
    await proxy.says(`Clients are refused: ${most} are there. Raise its limit of open files`);

    const { failures } = await traffic.prepare('target');
    expect(failures.join()).toMatch(/The proxy may open no more connections\. Raise its limit of open files/);
    for (const client of clients) await client.query('SELECT 1');
  } finally {
    for (const client of clients) await client.end();
    await proxy.kill('SIGTERM');
  }
});
