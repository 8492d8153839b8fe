/** What a command is: data for the help, the manual and the completion, and one function that runs it. */

import type { Settings } from '../config/settings.ts';
import type { Hooks } from '../hooks/hooks.ts';
import type { Output } from './output.ts';

export type CommandGroup = 'Start here' | 'Migrate' | 'While it runs' | 'Also';

export interface OptionDefinition {
  /** "--dry-run", "-w, --watch [interval]" */
  readonly flags: string;
  readonly description: string;
  readonly choices?: readonly string[];
}

export interface ArgumentDefinition {
  /** "<code>", "[shell]" */
  readonly name: string;
  readonly description: string;
  readonly choices?: readonly string[];
}

/** Flags that every command takes. */
export interface GlobalOptions {
  readonly config?: string;
  readonly migration?: string;
  readonly source?: string;
  readonly target?: string;
  readonly set?: readonly string[];
  readonly format?: 'text' | 'json' | 'jsonl' | 'html';
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly logFormat?: 'text' | 'json';
  readonly color?: boolean;
  readonly ascii?: boolean;
  readonly input?: boolean;
  readonly yes?: boolean;
  readonly timeout?: string;
}

export type OptionValues = Readonly<Record<string, string | boolean | undefined>>;

export interface Known {
  settings?: Settings;
  hooks?: Hooks;
}

export interface CommandContext {
  readonly global: GlobalOptions;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Aborted with an InterruptedError at SIGINT, SIGTERM and SIGHUP, and when --timeout has passed. */
  readonly signal: AbortSignal;
  readonly output: Output;
  /** What has been found out so far: a failure is told to a hook with it. */
  readonly known: Known;
  /** Every command there is, for those that tell about commands. */
  readonly commands: readonly CommandDefinition[];
}

export interface CommandDefinition {
  readonly name: string;
  readonly group: CommandGroup;
  /** One line, lower case: the help's. */
  readonly summary: string;
  /** For the manual: what it does, what it changes, what it leaves. */
  readonly description: string;
  readonly arguments?: readonly ArgumentDefinition[];
  readonly options?: readonly OptionDefinition[];
  /** Whether the hook on-failure is run when it fails. */
  readonly tellsFailure?: boolean;
  /** Whether its result can be had as HTML (`-o html`) too. */
  readonly hasHtml?: boolean;
  /** The exit codes that mean something particular here. */
  readonly exitCodes?: Readonly<Record<number, string>>;
  /** Resolves to the exit code. Heavy modules are imported inside, so that --help stays quick. */
  run(context: CommandContext, options: OptionValues, args: readonly string[]): Promise<number>;
}
