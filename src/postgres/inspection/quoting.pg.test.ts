import { expect } from 'vitest';
import { test } from '../../../test/support/fixture.ts';
import { quoteName } from '../../domain/preflight/quote.ts';

/** quote_ident() quotes more than it must; what we leave bare must be safe where a table or column is named. */
test('every word that the parser keeps for itself is quoted in a fix', async ({ source, target }) => {
  for (const side of [source, target]) {
    const reserved = await side.rows<{ word: string }>(
      "SELECT word FROM pg_get_keywords() WHERE catcode <> 'U'",
    );
    expect(reserved.map(({ word }) => quoteName(word))).toEqual(reserved.map(({ word }) => `"${word}"`));
  }
});
