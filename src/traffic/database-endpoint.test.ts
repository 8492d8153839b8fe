import { describe, expect, test } from 'vitest';
import { endpointIn, sslModeIn, withEndpoint } from './database-endpoint.ts';

const PROXY = { host: 'pgglide-shop-proxy', port: '5432' };

describe('the endpoint inside what an application is given', () => {
  test.each([
    ['postgresql://shop:s%40cret@pg-source:5433/shop?sslmode=disable', 'pg-source', '5433'],
    ['postgres://shop@pg-source/shop', 'pg-source', undefined],
    ['postgresql://[fd00::1]:5432/shop', '[fd00::1]', '5432'],
    ['jdbc:postgresql://pg-source:5432/shop?user=shop', 'pg-source', '5432'],
    ['pool:\n  url: "postgresql://shop@pg-source:5432/shop"\n  size: 8\n', 'pg-source', '5432'],
    ['DATABASE_URL=postgresql://shop@pg-source\nDEBUG=1\n', 'pg-source', undefined],
    ['host=pg-source port=5433 dbname=shop', 'pg-source', '5433'],
    ["port='5433' dbname=shop host='pg-source'", 'pg-source', '5433'],
    ['dbname=shop host=pg-source user=shop', 'pg-source', undefined],
    ['server.port=8080\nhost=pg-source\n', 'pg-source', undefined],
  ])('of %s is found, changed and put back to the letter', (text, host, port) => {
    const original = { host, port };
    expect(endpointIn(text)).toEqual(original);
    const changed = withEndpoint(text, PROXY) ?? '';
    expect(endpointIn(changed)).toEqual(PROXY);
    expect(changed.replaceAll(/pgglide-shop-proxy|5432/g, '')).not.toContain(host);
    expect(withEndpoint(changed, original)).toBe(text);
  });

  test.each([
    'mysql://shop@pg-source/shop',
    'postgresql://a:5432,b:5432/shop',
    'postgresql://a/one postgresql://b/two',
    'postgresql:///shop?host=/tmp',
    'postgresql://shop@localhost/shop?sslmode=disable&host=/cloudsql/shop',
    'postgresql://shop@localhost/shop?hostaddr=10.0.0.1',
    'postgresql://shop@localhost/shop?port=5433',
    'host=a,b dbname=shop',
    'hostaddr=10.0.0.1 host=a',
    'pg-source',
    '',
  ])('of %j cannot be told, so nothing is changed', (text) => {
    expect(endpointIn(text)).toBeUndefined();
    expect(withEndpoint(text, PROXY)).toBeUndefined();
  });

  test('comes with what it asks of TLS', () => {
    expect(sslModeIn('postgresql://h/d?connect_timeout=1&sslmode=verify-full')).toBe('verify-full');
    expect(sslModeIn("host=h sslmode='require'")).toBe('require');
    expect(sslModeIn('postgresql://h/d')).toBeUndefined();
  });
});
