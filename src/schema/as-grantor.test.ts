import { expect, test } from 'vitest';
import { asMember } from './as-grantor.ts';

const acl = (sql: string, kind = 'ACL') => ({
  n: 0,
  section: 'pre-data' as const,
  kind,
  name: 'TABLE t',
  sql,
});

test('only the lines that pg_dump writes around a grant change, and only in grants', () => {
  const text = `SET SESSION AUTHORIZATION "a ""b""";\nGRANT SELECT ON TABLE "s"."t" TO "c";\nRESET SESSION AUTHORIZATION;`;
  expect(asMember(acl(text)).sql).toBe(
    `SET LOCAL ROLE "a ""b""";\nGRANT SELECT ON TABLE "s"."t" TO "c";\nRESET ROLE;`,
  );
  expect(asMember(acl(text, 'FUNCTION')).sql).toBe(text);
  const plain = 'GRANT SELECT ON TABLE "s"."SET SESSION AUTHORIZATION ""x"";" TO "c";';
  expect(asMember(acl(plain)).sql).toBe(plain);
});
