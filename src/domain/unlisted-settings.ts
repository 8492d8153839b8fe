/** Known to every version, settable by everyone, and in nobody's pg_settings (GUC_NO_SHOW_ALL). */
export const UNLISTED_SETTINGS = ['role', 'session_authorization', 'seed'] as const;
