/** Programs of the user's that are run at these moments; a file of that name in `hooks.dir`. */
export type HookName =
  | 'on-following'
  | 'on-validated'
  | 'on-schema-changed'
  | 'before-cutover'
  | 'on-switched'
  | 'on-failure';
