/** Flags that every command takes. */

import type { OptionDefinition } from './command.ts';

export const GLOBAL_OPTIONS: readonly OptionDefinition[] = [
  { flags: '-f, --config <file>', description: 'configuration file (pgglide.yaml, or PGGLIDE_CONFIG)' },
  { flags: '-m, --migration <name>', description: 'which migration' },
  {
    flags: '--source <conninfo>',
    description: 'server to leave: URI, key=value or service=NAME; no password',
  },
  { flags: '--target <conninfo>', description: 'server to move to, likewise' },
  {
    flags: '--set <key=value>',
    description: 'any key of the configuration, such as copy.jobs=8; repeatable',
  },
  {
    flags: '-o, --format <format>',
    description:
      'results as text, as JSON, or as JSON lines with every event before them; report as HTML, too',
    choices: ['text', 'json', 'jsonl', 'html'],
  },
  { flags: '-q, --quiet', description: 'no progress: only results, warnings and errors' },
  { flags: '-v, --verbose', description: 'the causes of errors too' },
  {
    flags: '--log-format <format>',
    description: 'progress on stderr as text or as JSON lines',
    choices: ['text', 'json'],
  },
  { flags: '--no-color', description: 'no colours (as NO_COLOR=1)' },
  { flags: '--ascii', description: 'no characters beyond ASCII' },
  { flags: '--no-input', description: 'never ask' },
  { flags: '--yes', description: 'answer every question with yes' },
  { flags: '--timeout <duration>', description: 'stop cleanly after this long' },
];
