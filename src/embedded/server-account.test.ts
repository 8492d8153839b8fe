import { expect, test } from 'vitest';
import { parsePasswd } from './server-account.ts';

test('accounts are read from /etc/passwd, root and comments left out', () => {
  const accounts = parsePasswd(
    '# comment\nroot:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\nnobody:*:-2:-2::/:/bin/false\nme:x:1000:100::/:\n',
  );
  expect([...accounts]).toEqual([
    ['nobody', { uid: 4294967294, gid: 4294967294 }],
    ['me', { uid: 1000, gid: 100 }],
  ]);
});
