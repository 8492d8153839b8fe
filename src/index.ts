/** The library's public face; the only file that re-exports. */

export type { ServerAddress } from './config/server-address.ts';
export { EmbeddedServer, type StartServerOptions, startServer } from './embedded/embedded-server.ts';
