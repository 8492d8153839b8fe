import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A file of lab/manifests with ${NAME} filled in. @throws a name has no value */
export function manifest(file: string, values: Readonly<Record<string, string>>): string {
  const path = fileURLToPath(new URL(`../../manifests/${file}`, import.meta.url));
  return readFileSync(path, 'utf8').replaceAll(/\$\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${file} wants ${name}`);
    return value;
  });
}
