/**
 * Host and port inside the text that an application knows its database by: a URL (also inside a larger text, as in a
 * mounted file, and JDBC's) or libpq's keyword=value form. Everything else in the text stays as it is. Pure.
 */

export interface Endpoint {
  readonly host: string;
  /** Undefined: the text does not say, which means 5432. */
  readonly port: string | undefined;
}

interface Found extends Endpoint {
  readonly pointedAt: (endpoint: Endpoint) => string;
  readonly sslMode: string | undefined;
}

const URL_PARTS =
  /(\bpostgres(?:ql)?:\/\/(?:[^\s@/?#"']*@)?)(\[[^\]\s]+\]|[^\s:/?#,"'@[\]]+)(?::(\d+))?(?=[/?#"'\s]|$)/g;
const HOST = /(^|[\s"'])(host\s*=\s*'?)([^\s'",]+)('?)(?![^\s'"])/g;
/** Not the end of another key, such as server.port. */
const PORT = /(\s*)((?<![^\s"'])port\s*=\s*'?)(\d+)('?)/;

/** Undefined: it names no database, several, or one with several hosts. */
export const endpointIn = (text: string): Endpoint | undefined => {
  const found = find(text);
  return found && { host: found.host, port: found.port };
};

/** The same text with another endpoint; undefined like `endpointIn`. */
export const withEndpoint = (text: string, endpoint: Endpoint): string | undefined =>
  find(text)?.pointedAt(endpoint);

/** What the text asks of TLS; undefined when it does not say. */
export const sslModeIn = (text: string): string | undefined => find(text)?.sslMode;

function find(text: string): Found | undefined {
  const urls = [...text.matchAll(URL_PARTS)];
  if (/\bpostgres(ql)?:\/\//.test(text)) return urls.length === 1 ? inUrl(text, urls[0]) : undefined;
  const hosts = [...text.matchAll(HOST)];
  return hosts.length === 1 && !/\bhostaddr\s*=/.test(text) ? inKeywords(text, hosts[0]) : undefined;
}

function inUrl(text: string, match: RegExpMatchArray | undefined): Found | undefined {
  const [whole = '', head = '', host = '', port] = match ?? [];
  const at = match?.index ?? 0;
  const rest = text.slice(at + whole.length);
  // There it connects to, whatever stands in front.
  if (/^[^\s"']*?[?&](?:host|hostaddr|port)=/.test(rest)) return undefined;
  return {
    host,
    port,
    sslMode: /^[^\s"']*?[?&]sslmode=([\w-]+)/.exec(rest)?.[1],
    pointedAt: (to) => `${text.slice(0, at)}${head}${to.host}${to.port ? `:${to.port}` : ''}${rest}`,
  };
}

function inKeywords(text: string, match: RegExpMatchArray | undefined): Found | undefined {
  const [whole = '', before = '', head = '', host = '', quote = ''] = match ?? [];
  const at = match?.index ?? 0;
  return {
    host,
    port: PORT.exec(text)?.[3],
    sslMode: /\bsslmode\s*=\s*'?([\w-]+)/.exec(text)?.[1],
    pointedAt: (to) => {
      const behind = text.slice(at + whole.length);
      const named = `${text.slice(0, at)}${before}${head}${to.host}${quote}`;
      if (to.port === undefined) return `${named}${behind}`.replace(PORT, '');
      return PORT.test(text)
        ? `${named}${behind}`.replace(PORT, `$1$2${to.port}$4`)
        : `${named} port=${to.port}${behind}`;
    },
  };
}
