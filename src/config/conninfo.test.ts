import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { resolveConninfo, subscriptionConninfo } from './conninfo.ts';
import { formatKeyword, parseConninfo } from './conninfo-text.ts';

const parse = (text: string) => Object.fromEntries(parseConninfo(text));

describe('a URI', () => {
  test('is taken apart and percent-decoded', () => {
    expect(
      parse('postgresql://us%40er:p%2Fw%3A@db.example:6543/my%20db?sslmode=require&options=-c%20a%3Db'),
    ).toEqual({
      user: 'us@er',
      password: 'p/w:',
      host: 'db.example',
      port: '6543',
      dbname: 'my db',
      sslmode: 'require',
      options: '-c a=b',
    });
  });

  test.each([
    ['postgres://', {}],
    ['postgresql:///shop', { dbname: 'shop' }],
    ['postgresql://host', { host: 'host' }],
    ['postgresql://[::1]:5433/db', { host: '::1', port: '5433', dbname: 'db' }],
    ['postgresql://%2Fvar%2Frun%2Fpostgresql/db', { host: '/var/run/postgresql', dbname: 'db' }],
    ['postgresql:///db?host=/tmp&port=5433', { dbname: 'db', host: '/tmp', port: '5433' }],
    ['postgresql://me@/db?ssl=true', { user: 'me', dbname: 'db', sslmode: 'require' }],
    ['postgresql://h/db?user=a%40b', { host: 'h', dbname: 'db', user: 'a@b' }],
  ])('%s', (text, expected) => {
    expect(parse(text)).toEqual(expected);
  });

  test.each([
    ['postgresql://a,b/db', 'conninfo_several_hosts'],
    ['postgresql://h/db?sslmode', 'conninfo_invalid'],
    ['postgresql://h/db?a=b=c', 'conninfo_invalid'],
    ['postgresql://h/db?nonsense=1', 'conninfo_invalid'],
    ['postgresql://h%/db', 'conninfo_invalid'],
    ['postgresql://h/d%00b', 'conninfo_invalid'],
    ['postgresql://[::1/db', 'conninfo_invalid'],
    ['postgresql://h/db?channel_binding=require', 'conninfo_unsupported'],
  ])('%s is refused', (text, code) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code, exitCode: 2 }));
  });
});

describe('key=value', () => {
  test.each([
    ['', {}],
    ['host=h port = 5433', { host: 'h', port: '5433' }],
    ["password='it\\'s \\\\ mine' user=me", { password: "it's \\ mine", user: 'me' }],
    ['password=a\\ b\\\\c', { password: 'a b\\c' }],
    ["host='' dbname=x", { host: '', dbname: 'x' }],
    ['password=', { password: '' }],
    ['host= port=1', { host: 'port=1' }], // as libpq reads it
    ["options='-c search_path=a,b'\tuser=u\n", { options: '-c search_path=a,b', user: 'u' }],
  ])('%s', (text, expected) => {
    expect(parse(text)).toEqual(expected);
  });

  test.each(['host', 'host=a word', "host='open", "host='a'b", '=x'])('%s is refused', (text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'conninfo_invalid' }));
  });

  test('an unknown keyword names its likely meaning', () => {
    expect(() => parse('sslmod=require')).toThrow(
      expect.objectContaining({ hint: 'Did you mean "sslmode"?' }),
    );
  });

  test('any value comes back from its quoted form', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        expect(parse(`user=me ${formatKeyword('password', value)} port=1`)).toEqual({
          user: 'me',
          password: value,
          port: '1',
        });
      }),
    );
  });
});

test.each([
  'password=hunter2 secret',
  "password='hunter2 secret",
  'postgresql://me:hunter/secret@h/db',
  'postgresql://me:hunter%secret@h/db',
  'password=hunter2 secret=1',
])('a message never repeats a part of the password: %s', (text) => {
  const thrown = () => resolveConninfo(text, { env: {} });
  expect(thrown).toThrow();
  expect(thrown).not.toThrow(/hunter|secret/);
});

describe('resolved', () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'pgglide-conninfo-'));
  });
  afterEach(() => {
    rmSync(home, { recursive: true, force: true });
  });
  const warnings: string[] = [];
  const resolve = (text: string, env: Record<string, string> = {}, more: object = {}) =>
    resolveConninfo(text, {
      env,
      home,
      osUser: 'me',
      environmentDefaults: true,
      warn: (message) => warnings.push(message),
      ...more,
    });
  const file = (name: string, text: string, mode = 0o600) => {
    const path = join(home, name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };

  test('libpq’s defaults', () => {
    expect(resolve('host=h')).toEqual({
      host: 'h',
      port: 5432,
      user: 'me',
      database: 'me',
      sslMode: 'prefer',
      options: undefined,
      connectTimeoutMs: 10_000,
    });
  });

  test('the database is named after the role', () => {
    expect(resolve('host=h user=shop')).toMatchObject({ user: 'shop', database: 'shop' });
  });

  test('the text wins over the service, the service over the environment', () => {
    file('.pg_service.conf', '# ours\n[other]\nhost=wrong\n[shop]\nhost=svc\nport=5433\nuser=svc\n');
    const env = { PGHOST: 'env', PGUSER: 'env', PGDATABASE: 'env' };
    expect(resolve('service=shop user=text', env)).toMatchObject({
      host: 'svc',
      port: 5433,
      user: 'text',
      database: 'env',
    });
  });

  test('PGSERVICE, PGSERVICEFILE and PGSYSCONFDIR are followed', () => {
    mkdirSync(join(home, 'etc'));
    file('etc/pg_service.conf', '[far]\nhost=far\n');
    const own = file('services', '[near]\nhost=near\n');
    const env = { PGSERVICEFILE: own, PGSYSCONFDIR: join(home, 'etc') };
    expect(resolve('', { ...env, PGSERVICE: 'near' }).host).toBe('near');
    expect(resolve('service=far', env).host).toBe('far');
    expect(() => resolve('service=none', env)).toThrow(
      expect.objectContaining({ code: 'service_not_found' }),
    );
  });

  test('without a folder of the user’s own the system’s services are found', () => {
    mkdirSync(join(home, 'etc'));
    file('etc/pg_service.conf', '[far]\nhost=far\n');
    const noFolder = { home: file('no-folder', '') };
    expect(resolve('service=far', { PGSYSCONFDIR: join(home, 'etc') }, noFolder).host).toBe('far');
  });

  test.each(['nonsense\n', '=x\n', 'service=other\n'])('a service file with %j is refused', (line) => {
    file('.pg_service.conf', `[shop]\n${line}`);
    expect(() => resolve('service=shop')).toThrow(expect.objectContaining({ code: 'service_file_invalid' }));
  });

  test('the environment is not for the other server', () => {
    const env = { PGHOST: 'env', PGPASSWORD: 'secret' };
    const address = resolve('host=h', env, { environmentDefaults: false });
    expect(address.password).toBeUndefined();
  });

  test('the password file is searched by host, port, database and user', () => {
    file('.pgpass', '# no\nh:5432:other:me:wrong\n*:5432:sh\\:op:me:it\\:s\\\\mine\nh:*:*:*:last\n');
    expect(resolve("host=h dbname='sh:op'").password).toBe('it:s\\mine');
    expect(resolve('host=h dbname=x').password).toBe('last');
    expect(resolve('host=elsewhere dbname=x').password).toBeUndefined();
  });

  test('a server on a socket is "localhost" in the password file', () => {
    file('.pgpass', 'localhost:*:*:*:local\n');
    expect(resolve('host=/tmp dbname=x').password).toBe('local');
  });

  test('PGPASSWORD goes before the password file, a given password before both', () => {
    file('.pgpass', '*:*:*:*:file\n');
    expect(resolve('host=h', { PGPASSWORD: 'env' }).password).toBe('env');
    expect(resolve('host=h', { PGPASSWORD: 'env' }, { password: 'given' }).password).toBe('given');
    expect(resolve('host=h password=text', { PGPASSWORD: 'env' }, { password: 'given' }).password).toBe(
      'text',
    );
  });

  test('PGPASSFILE names the password file', () => {
    const other = file('passwords', '*:*:*:*:other\n');
    expect(resolve('host=h', { PGPASSFILE: other }).password).toBe('other');
  });

  test('a password file open to others is ignored, and says so', () => {
    const path = file('.pgpass', '*:*:*:*:open\n', 0o644);
    warnings.length = 0;
    expect(resolve('host=h').password).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining(`"${path}" has group or world access`)]);
  });

  test.each([
    ['connect_timeout=5', 5000],
    ['connect_timeout=0', 0],
    ['connect_timeout=-1', 0],
  ])('%s', (text, connectTimeoutMs) => {
    expect(resolve(`host=h ${text}`)).toMatchObject({ connectTimeoutMs });
  });

  test.each([
    ['host=h port=0', 'conninfo_invalid'],
    ['host=h port=1,2', 'conninfo_several_hosts'],
    ['host=a,b', 'conninfo_several_hosts'],
    ['host=h connect_timeout=soon', 'conninfo_invalid'],
    ['host=h sslmode=strong', 'conninfo_invalid'],
    ['host=h sslmode=require sslrootcert=system', 'conninfo_invalid'],
    ['host=h sslmode=verify-full', 'certificate_missing'],
    ['host=h sslmode=require sslrootcert=/nowhere.crt', 'certificate_missing'],
    ['host=h hostaddr=127.0.0.1 sslmode=verify-full sslrootcert=system', 'conninfo_unsupported'],
  ])('%s is refused', (text, code) => {
    expect(() => resolve(text)).toThrow(expect.objectContaining({ code, exitCode: 2 }));
  });

  test('certificates in ~/.postgresql are found; an open key is refused', () => {
    mkdirSync(join(home, '.postgresql'));
    const root = file('.postgresql/root.crt', 'root');
    const cert = file('.postgresql/postgresql.crt', 'cert');
    const key = file('.postgresql/postgresql.key', 'key');
    const found = { sslRootCert: root, sslCert: cert, sslKey: key };
    expect(resolve('host=h sslmode=verify-full')).toMatchObject(found);
    expect(resolve('host=h sslmode=disable')).not.toHaveProperty('sslRootCert');
    expect(resolve('host=h sslcertmode=disable')).not.toHaveProperty('sslCert');
    chmodSync(key, 0o666);
    expect(() => resolve('host=h')).toThrow(expect.objectContaining({ code: 'private_key_permissions' }));
  });

  test('sslrootcert=system asks for verify-full with the public certificates', () => {
    const address = resolve('host=h sslrootcert=system');
    expect(address.sslMode).toBe('verify-full');
    expect(address.sslRootCert).toBe('system');
    expect(subscriptionConninfo(address)).toContain("sslmode='verify-full' sslrootcert='system'");
  });

  test('a certificate that is there and cannot be read is named', () => {
    expect(() => resolve(`host=h sslmode=verify-ca sslrootcert=${home}`)).toThrow(
      expect.objectContaining({ code: 'certificate_missing', message: expect.stringContaining('EISDIR') }),
    );
  });

  test('a subscription’s connection string reads back as the same address', () => {
    const address = resolve(
      "host=h port=5433 user='o\\'neill' dbname='a b' password='x\\'y\\\\z' sslmode=require options='-c a=b'",
    );
    expect(resolve(subscriptionConninfo(address))).toEqual(address);
  });
});
