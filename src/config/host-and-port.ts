/** Where a server of ours listens. */

import { UsageError } from '../domain/errors.ts';

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** `HOST:PORT`, `:PORT` or `[IPV6]:PORT`. @throws {UsageError} `bad_address` */
export function hostAndPort(text: string): HostAndPort {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
  if (match === null || Number(match[3]) > 65_535) {
    throw new UsageError('bad_address', `Not an address: ${text}`, {
      hint: 'Write HOST:PORT, or [IPV6]:PORT.',
    });
  }
  return { host: match[1] ?? (match[2] || '127.0.0.1'), port: Number(match[3]) };
}

/** As a URL has it. */
export const inUrl = ({ host, port }: HostAndPort): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`;

/** Nobody but this machine reaches it. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
