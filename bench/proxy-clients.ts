/** Many sessions in a process of their own, so that the proxy's memory and time are the proxy's: `proxy-clients.ts PORT COUNT`. */

import pg from 'pg';
import { inParallel } from '../src/base/async.ts';

const [port, count] = process.argv.slice(2).map(Number);
const clients = Array.from(
  { length: count ?? 0 },
  () =>
    new pg.Client({
      host: '127.0.0.1',
      port: port ?? 0,
      user: 'bench',
      password: 'bench',
      database: 'postgres',
    }),
);
const ask = (client: pg.Client) => client.query('SELECT abalance FROM pgbench_accounts WHERE aid = $1', [7]);

await inParallel(clients, 8, async (client) => {
  await client.connect();
  await ask(client);
});
process.stdout.write('connected\n');
for (const client of clients) client.on('error', () => undefined);
// Each line asks once in every session, all at the same moment.
process.stdin.on('data', () => {
  const answers = Promise.all(clients.map(ask));
  process.stdout.write('asked\n');
  void answers.then(() => process.stdout.write('answered\n'));
});
process.stdin.on('end', () => process.exit(0));
