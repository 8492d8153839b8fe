/** All commands, in the order of the help. */

import type { CommandDefinition } from './command.ts';
import { abort } from './commands/abort.ts';
import { check } from './commands/check.ts';
import { complete } from './commands/complete.ts';
import { completion } from './commands/completion.ts';
import { config } from './commands/config.ts';
import { cutover } from './commands/cutover.ts';
import { dashboard } from './commands/dashboard.ts';
import { demo } from './commands/demo.ts';
import { events } from './commands/events.ts';
import { explain } from './commands/explain.ts';
import { init } from './commands/init.ts';
import { k8s } from './commands/k8s.ts';
import { lab } from './commands/lab.ts';
import { plan } from './commands/plan.ts';
import { proxy } from './commands/proxy.ts';
import { rehearse } from './commands/rehearse.ts';
import { report } from './commands/report.ts';
import { rollback } from './commands/rollback.ts';
import { set } from './commands/set.ts';
import { status } from './commands/status.ts';
import { sync } from './commands/sync.ts';
import { throttle } from './commands/throttle.ts';
import { verify } from './commands/verify.ts';
import { version } from './commands/version.ts';
import { wait } from './commands/wait.ts';

export const COMMAND_DEFINITIONS: readonly CommandDefinition[] = [
  init,
  demo,
  check,
  plan,
  sync,
  status,
  rehearse,
  verify,
  cutover,
  rollback,
  complete,
  abort,
  events,
  dashboard,
  throttle,
  set,
  wait,
  report,
  proxy,
  k8s,
  lab,
  config,
  explain,
  completion,
  version,
];
