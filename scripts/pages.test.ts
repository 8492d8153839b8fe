import { describe, expect, test } from 'vitest';
import { COMMAND_DEFINITIONS } from '../src/cli/commands.ts';
import { GLOBAL_OPTIONS } from '../src/cli/global-options.ts';
import { configKeys } from '../src/config/schema-keys.ts';
import { ERROR_CODES } from '../src/domain/error-codes.ts';
import { cliPage } from './cli-page.ts';
import { configPage } from './config-page.ts';
import { errorsPage } from './errors-page.ts';
import { replaceBetween, table } from './markdown.ts';
import { roomGraph } from './room-graph.ts';

test('every command, flag, key and error code is on its page', () => {
  const cli = cliPage(COMMAND_DEFINITIONS, GLOBAL_OPTIONS);
  for (const command of COMMAND_DEFINITIONS) {
    expect(cli).toContain(`\n## ${command.name}\n`);
    for (const option of command.options ?? []) expect(cli).toContain(option.flags);
  }
  const config = configPage(configKeys());
  for (const { path, doc } of configKeys()) {
    if (doc !== undefined) expect(config).toContain(`\`${path}\``);
  }
  const errors = errorsPage(ERROR_CODES);
  for (const { code } of ERROR_CODES) expect(errors).toContain(`### ${code}\n`);
});

test('every configuration key is described', () => {
  for (const { path, doc, description } of configKeys()) {
    expect(description, path).toMatch(/\.$/);
    if (doc !== undefined) expect(doc.kind, path).toBeTruthy();
  }
});

describe('markdown', () => {
  test('a cell cannot break its table', () => {
    expect(table(['a'], [['x|y\nz']])).toBe('| a |\n| --- |\n| x\\|y z |');
  });

  test('only what is between the markers changes', () => {
    const text = 'before\n<!-- g:begin -->\nold\n<!-- g:end -->\nafter';
    expect(replaceBetween(text, 'g', 'new')).toBe('before\n<!-- g:begin -->\nnew\n<!-- g:end -->\nafter');
    expect(replaceBetween('none', 'g', 'new')).toBeUndefined();
  });
});

test('the graph leaves out tests, files outside, and ways that a longer way implies', () => {
  const module = (source: string, ...targets: string[]) => ({
    source,
    dependencies: targets.map((resolved) => ({ resolved })),
  });
  const graph = roomGraph([
    module('src/c/x.ts', 'src/b/x.ts', 'src/a/x.ts', 'src/c/y.ts', 'node_modules/pg/index.js'),
    module('src/b/x.ts', 'src/a/x.ts'),
    module('src/a/x.test.ts', 'src/c/x.ts'),
    module('lab/x.ts', 'src/index.ts'),
  ]);
  expect(graph.split('\n').slice(2, -1)).toEqual(['  b --> a', '  c --> b']);
});
