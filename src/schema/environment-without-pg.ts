/** For a pg_dump: no secret of ours, and no PG* variable, which would change what it means. */
export const environmentWithoutPg = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PG')));
