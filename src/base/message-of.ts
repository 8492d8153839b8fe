/** What was thrown, as text for people. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
