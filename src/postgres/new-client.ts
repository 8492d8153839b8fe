/** Clients of node-postgres that take nothing from the environment: PG* variables speak of the source, whose address has it already. */

import pg from 'pg';

export function newClient(config: pg.ClientConfig): pg.Client {
  const client = new pg.Client({ ...config, sslnegotiation: 'postgres' });
  const { connectionParameters } = client as unknown as { connectionParameters: { options?: unknown } };
  connectionParameters.options = config.options;
  return client;
}
