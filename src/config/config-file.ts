/** The YAML file: found, read, and able to say on which line a key stands. */

import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Document, LineCounter, parseDocument, type YAMLMap } from 'yaml';
import { messageOf } from '../base/message-of.ts';
import { UsageError } from '../domain/errors.ts';

export const DEFAULT_CONFIG_FILE = 'pgglide.yaml';

export interface ConfigFile {
  /** Absolute; undefined when there is none. */
  readonly path: string | undefined;
  /** Relative paths in the file start here. */
  readonly folder: string;
  readonly content: Record<string, unknown>;
  /** "pgglide.yaml:12" */
  locate(keyPath: readonly PropertyKey[]): string;
}

/** @throws {UsageError} `config_not_found` when a named file is not there, `config_invalid` when it is no YAML mapping */
export function readConfigFile(named: string | undefined, cwd: string): ConfigFile {
  const path = resolve(cwd, named ?? DEFAULT_CONFIG_FILE);
  if (!existsSync(path)) {
    if (named === undefined)
      return { path: undefined, folder: cwd, content: {}, locate: () => 'configuration' };
    throw new UsageError('config_not_found', `There is no configuration file ${path}`, {
      hint: 'Write one with: pgglide init',
    });
  }
  return parseConfig(readText(path), path, named ?? DEFAULT_CONFIG_FILE);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UsageError('config_not_found', `The configuration file ${path} cannot be read`, {
      hint: 'Is it a file, and may you read it?',
      cause,
    });
  }
}

/** @throws {UsageError} `config_invalid` */
export function parseConfig(text: string, path: string, shownAs: string): ConfigFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined)
    throw notYaml(`${shownAs}:${lines.linePos(error.pos[0]).line} is not YAML: ${error.message}`);
  const content: unknown = contentOf(document, shownAs) ?? {};
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new UsageError('config_invalid', `${shownAs} is not a mapping of keys to values`, {
      hint: 'pgglide init writes an example.',
    });
  }
  const locate = (keyPath: readonly PropertyKey[]) => {
    const offset = offsetOf(document.contents, keyPath);
    return offset === undefined ? shownAs : `${shownAs}:${lines.linePos(offset).line}`;
  };
  return { path, folder: dirname(path), content: withoutEmpty(content) as Record<string, unknown>, locate };
}

/** Aliases are only looked up here: one may lead nowhere. */
function contentOf(document: Document.Parsed, shownAs: string): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    throw notYaml(`${shownAs} is not YAML: ${messageOf(cause)}`, cause);
  }
}

const notYaml = (message: string, cause?: unknown): UsageError =>
  new UsageError('config_invalid', message, {
    hint: 'Indent with spaces, and quote texts that hold ": " or start with a special sign.',
    cause,
  });

/** A key without a value says nothing: `copy:` with everything below it commented out. */
function withoutEmpty(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const given = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(given.map(([key, inner]) => [key, withoutEmpty(inner)]));
}

/** Where the last key of the path that is there begins. */
function offsetOf(contents: unknown, keyPath: readonly PropertyKey[]): number | undefined {
  let node = contents as Partial<YAMLMap> | null | undefined;
  let offset: number | undefined;
  for (const key of keyPath) {
    const pair = node?.items?.find((item) => (item.key as { value?: unknown } | undefined)?.value === key);
    if (pair === undefined) break;
    offset = (pair.key as { range?: readonly number[] }).range?.[0] ?? offset;
    node = pair.value as Partial<YAMLMap> | null;
  }
  return offset;
}
