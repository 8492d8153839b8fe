import { expect, test } from 'vitest';
import { labelProvider } from './security-labels.ts';

test('the provider of a dumped label, quoted or not', () => {
  expect(labelProvider(`SECURITY LABEL FOR "selinux" ON TABLE "public"."t" IS 'x';`)).toBe('selinux');
  expect(labelProvider(`SECURITY LABEL FOR anon ON COLUMN "t"."a" IS 'x';`)).toBe('anon');
  expect(labelProvider(`SECURITY LABEL FOR "a ""b"" ON c" ON TABLE "t" IS 'x';`)).toBe('a "b" ON c');
  expect(labelProvider('COMMENT ON TABLE "t" IS \'SECURITY LABEL FOR x ON y\'')).toBeUndefined();
});
