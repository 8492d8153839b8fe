/** What a hook finds in its environment: all that we have, but our own configuration and what holds a password. Pure. */

type Environment = Readonly<Record<string, string | undefined>>;

/** Without a password it leads a pgglide that a hook calls to the same migration. */
const KEPT = 'PGGLIDE_CONFIG';

/** `withheld`: variables that the configuration names for a password. */
export function hookEnvironment(
  env: Environment,
  withheld: readonly string[],
  own: Environment,
): Environment {
  const isSecret = (name: string) =>
    name === 'PGPASSWORD' || withheld.includes(name) || (name.startsWith('PGGLIDE_') && name !== KEPT);
  return { ...Object.fromEntries(Object.entries(env).filter(([name]) => !isSecret(name))), ...own };
}
