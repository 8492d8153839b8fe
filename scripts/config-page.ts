/** docs/config.md out of the configuration's schema. Pure. */

import { type ConfigKey, environmentName } from '../src/config/schema-keys.ts';
import { code, GENERATED, table } from './markdown.ts';

const INTRODUCTION = `A value is looked for in this order, the last one found wins:

1. the file: \`--config FILE\`, else \`PGGLIDE_CONFIG\`, else \`pgglide.yaml\` in the current folder; \`pgglide init\` writes one with every key;
2. the environment: \`PGGLIDE_SOURCE\` and \`PGGLIDE_TARGET\` as whole connection strings, and one variable for every key below;
3. flags: \`--source\`, \`--target\`, \`--migration\`, and \`--set KEY=VALUE\` for every key below.

Unknown keys are refused; the nearest known one is named. Relative paths in the file start at the file's folder.
\`pgglide config\` prints what all of it comes to, without secrets.

## Connecting

\`source\` and \`target\` take a connection string (URI, \`keyword=value\`, \`service=NAME\`) or the keys below, by
[libpq's rules](https://www.postgresql.org/docs/current/libpq-connect.html): service files, \`.pgpass\` (mode 0600, or it is
ignored with a warning), certificates in \`~/.postgresql\`, sslmode and its meaning. The \`PG*\` variables (PGHOST, PGPASSWORD, ...) are
defaults for the **source** only. Without connect_timeout we wait 10 s. Not supported, and refused instead of ignored:
several hosts, \`channel_binding=require\`, \`gssencmode=require\`, \`require_auth\`, \`requirepeer\`, \`sslnegotiation=direct\`, \`sslcrl\`, \`sslpassword\`.

A password never belongs into a flag: it is refused there. It is taken from, in this order: the connection string in file or
environment, \`passwordFrom\`, \`PGGLIDE_SOURCE_PASSWORD\` or \`PGGLIDE_TARGET_PASSWORD\`, \`PGPASSWORD\` (source), \`.pgpass\`.

The servers also connect to each other: each subscribes to the other. What one must write differently to reach the other goes
into \`seenByTarget\` and \`seenBySource\`.

## Units

Sizes are PostgreSQL's (1 kB is 1024 bytes): \`512kB\`, \`64MB\`, \`2GB\`, \`1TB\`, or a plain number of bytes. Rates: \`200MB/s\`.
Durations: \`250ms\`, \`2s\`, \`10min\`, \`24h\`, \`7d\`.
`;

export function configPage(keys: readonly ConfigKey[]): string {
  const sections = keys.filter((key) => !key.path.includes('.'));
  return [
    '# Configuration',
    GENERATED,
    INTRODUCTION,
    ...sections.flatMap((section) => sectionText(section, keys)),
  ].join('\n');
}

function sectionText(section: ConfigKey, keys: readonly ConfigKey[]): string[] {
  const belongs = ({ path }: ConfigKey) => path === section.path || path.startsWith(`${section.path}.`);
  const inner = keys.filter((key) => belongs(key) && key.doc !== undefined);
  return [
    `## ${section.path}`,
    '',
    ...(section.doc === undefined ? [section.description, ''] : []),
    ...(inner.length === 0 ? [] : [keyTable(inner), '']),
  ];
}

const keyTable = (keys: readonly ConfigKey[]): string =>
  table(
    ['key', 'kind', 'default', 'meaning', 'variable'],
    keys.map(({ path, doc, description }) => [
      code(path),
      doc?.kind ?? '',
      defaultOf(doc?.default),
      doc?.example === undefined ? description : `${description} Example: ${code(doc.example)}`,
      code(environmentName(path)),
    ]),
  );

function defaultOf(value: unknown): string {
  if (value === undefined) return '';
  return code(Array.isArray(value) ? `[${value.join(', ')}]` : String(value));
}
