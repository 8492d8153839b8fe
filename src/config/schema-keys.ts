/** The schema as a flat list of keys, for everything that is made from it. */

import type { z } from 'zod';
import { configSchema, type KeyDoc } from './schema.ts';

export interface ConfigKey {
  /** "copy.jobs" */
  readonly path: string;
  /** Undefined for a section. */
  readonly doc: KeyDoc | undefined;
  readonly description: string;
}

interface AnySchema {
  readonly def: {
    readonly type: string;
    readonly innerType?: AnySchema;
    readonly shape?: Record<string, AnySchema>;
  };
  readonly shape?: Record<string, AnySchema>;
  meta(): Record<string, unknown> | undefined;
}

const shapeOf = (schema: AnySchema): Record<string, AnySchema> | undefined =>
  schema.def.innerType === undefined ? schema.def.shape : shapeOf(schema.def.innerType);

function* walk(schema: AnySchema, path: readonly string[]): Generator<ConfigKey> {
  const meta = schema.meta();
  const shape = meta?.kind === undefined ? shapeOf(schema) : undefined;
  if (path.length > 0) {
    const description = String(meta?.description ?? '');
    yield {
      path: path.join('.'),
      doc: shape === undefined ? (meta as unknown as KeyDoc) : undefined,
      description,
    };
  }
  for (const [name, inner] of Object.entries(shape ?? {})) yield* walk(inner, [...path, name]);
}

/** Sections and keys in the order of the manual. */
export const configKeys = (): readonly ConfigKey[] => [
  ...walk(configSchema as z.ZodType as unknown as AnySchema, []),
];

/** "copy.splitTablesLargerThan" -> "PGGLIDE_COPY_SPLIT_TABLES_LARGER_THAN" */
export const environmentName = (path: string): string =>
  `PGGLIDE_${path
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase()}`;
