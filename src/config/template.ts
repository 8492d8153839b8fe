/** The file that `pgglide init` writes: every key of the schema, its meaning and its default, commented out. Pure. */

import { stringify } from 'yaml';
import { type ConfigKey, configKeys } from './schema-keys.ts';

const WIDTH = 96;

export interface TemplateValues {
  readonly migration?: string | undefined;
  readonly source?: string | undefined;
  readonly target?: string | undefined;
}

const HEAD = `# pgglide: how to move a live PostgreSQL database to a new major version.
# Keys that are commented out show their default or an example. All of them: docs/config.md
# Passwords are best left to .pgpass, the environment (PGPASSWORD, PGGLIDE_TARGET_PASSWORD) or passwordFrom.
`;

export function configTemplate(values: TemplateValues): string {
  const sections = configKeys().filter((key) => !key.path.includes('.'));
  return [HEAD, ...sections.map((key) => section(key, values))].join('\n');
}

function section(key: ConfigKey, values: TemplateValues): string {
  const comment = wrap(key.description, '# ');
  if (key.path === 'migration')
    return `${comment}\n${given('migration', values.migration, 'shop-15-to-16')}\n`;
  if (key.path === 'source' || key.path === 'target') {
    const example = `postgresql://pgglide@${key.path === 'source' ? 'pg15' : 'pg16'}.example:5432/shop?sslmode=verify-full`;
    return `${comment}\n${given(key.path, values[key.path], example)}\n`;
  }
  if (key.doc !== undefined) return `${comment}\n# ${key.path}: ${key.doc.example ?? ''}\n`;
  const inner = configKeys().filter(({ path }) => path.startsWith(`${key.path}.`));
  return [comment, `# ${key.path}:`, ...inner.map(line), ''].join('\n');
}

const given = (key: string, value: string | undefined, example: string): string =>
  value === undefined ? `# ${key}: ${example}` : stringify({ [key]: value }).trimEnd();

function line({ path, doc, description }: ConfigKey): string {
  const parts = path.split('.');
  const indent = '  '.repeat(parts.length - 1);
  const name = parts.at(-1) ?? '';
  if (doc === undefined) return `# ${indent}${name}:`;
  // An empty list says less than an example of a full one.
  const isEmptyList = Array.isArray(doc.default) && doc.default.length === 0;
  const value = (isEmptyList ? doc.example : doc.default) ?? doc.example ?? '';
  const shown = Array.isArray(value) ? `[${value.join(', ')}]` : String(value);
  return [wrap(description, `# ${indent}# `), `# ${indent}${name}: ${shown}`.trimEnd()].join('\n');
}

function wrap(text: string, prefix: string): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length + 1 <= WIDTH)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`${prefix}${word}`);
  }
  return lines.join('\n');
}
