/**
 * Writes what is generated: docs/cli.md, docs/errors.md, docs/config.md, docs/checks.md, the switch's steps and the room graph in
 * ARCHITECTURE.md, and deploy/kustomize/base/pgglide.yaml.
 * `--check` writes nothing and ends with 1 when a file is not what it would be.
 */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { ownVersion } from '../src/base/own-version.ts';
import { packagePath } from '../src/base/package-root.ts';
import { COMMAND_DEFINITIONS } from '../src/cli/commands.ts';
import { GLOBAL_OPTIONS } from '../src/cli/global-options.ts';
import { configKeys } from '../src/config/schema-keys.ts';
import { ERROR_CODES } from '../src/domain/error-codes.ts';
import { checksMarkdown } from '../src/domain/preflight/checks-markdown.ts';
import { AFTER_COMMIT, BEFORE_PAUSE, PAUSED, RESUMING } from '../src/migration/switchover.ts';
import { cliPage } from './cli-page.ts';
import { configPage } from './config-page.ts';
import { errorsPage } from './errors-page.ts';
import { kustomizeBase } from './kustomize-base.ts';
import { replaceBetween } from './markdown.ts';
import { type ModuleImports, roomGraph } from './room-graph.ts';
import { switchBlock } from './switch-block.ts';

const ARCHITECTURE = packagePath('ARCHITECTURE.md');

function pages(): Map<string, string> {
  const docs = (name: string) => packagePath('docs', name);
  const found = new Map([
    [docs('cli.md'), cliPage(COMMAND_DEFINITIONS, GLOBAL_OPTIONS)],
    [docs('errors.md'), errorsPage(ERROR_CODES)],
    [docs('config.md'), configPage(configKeys())],
    [docs('checks.md'), checksMarkdown()],
    [packagePath('deploy', 'kustomize', 'base', 'pgglide.yaml'), kustomizeBase(ownVersion())],
  ]);
  const architecture = architecturePage();
  if (architecture !== undefined) found.set(ARCHITECTURE, architecture);
  return found;
}

function architecturePage(): string | undefined {
  if (!existsSync(ARCHITECTURE)) return undefined;
  const parts = { switch: theSwitch(), rooms: roomGraph(readImports()) };
  return Object.entries(parts).reduce(
    (before, [name, part]) => {
      const text = replaceBetween(before, name, part);
      if (text === undefined) throw new Error(`ARCHITECTURE.md has no <!-- ${name}:begin --> and :end lines`);
      return text;
    },
    readFileSync(ARCHITECTURE, 'utf8'),
  );
}

const theSwitch = (): string =>
  switchBlock([
    { title: 'nobody waits', steps: BEFORE_PAUSE },
    { title: 'requests wait', steps: [...PAUSED, ...RESUMING] },
    { title: 'nobody waits', steps: AFTER_COMMIT.filter((step) => !RESUMING.includes(step)) },
  ]);

function readImports(): readonly ModuleImports[] {
  const json = execFileSync(
    process.execPath,
    [
      packagePath('node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs'),
      ...['--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'src'],
    ],
    { cwd: packagePath(), encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 },
  );
  return (JSON.parse(json) as { modules: readonly ModuleImports[] }).modules;
}

function main(isCheck: boolean): number {
  const stale = [...pages()].filter(
    ([path, text]) => !existsSync(path) || readFileSync(path, 'utf8') !== ended(text),
  );
  for (const [path, text] of stale) {
    if (isCheck) {
      console.error(`${relative(packagePath(), path)} is not up to date: npm run docs`);
      continue;
    }
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, ended(text));
    console.log(`written: ${relative(packagePath(), path)}`);
  }
  return isCheck && stale.length > 0 ? 1 : 0;
}

const ended = (text: string): string => `${text.trimEnd()}\n`;

process.exitCode = main(process.argv.includes('--check'));
