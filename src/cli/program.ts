/** The commands as commander sees them. */

import { Argument, Command, Option } from 'commander';
import type { CommandDefinition, GlobalOptions, OptionDefinition, OptionValues } from './command.ts';
import { COMMAND_DEFINITIONS } from './commands.ts';
import { GLOBAL_OPTIONS } from './global-options.ts';

export type Runner = (
  definition: CommandDefinition,
  options: OptionValues,
  args: readonly string[],
  global: GlobalOptions,
) => Promise<void>;

const PURPOSE = 'pgglide: move a live PostgreSQL database to a new major version without failing a request';

export function buildProgram(runner: Runner): Command {
  const program = new Command('pgglide')
    .description(PURPOSE)
    .usage('COMMAND [flags]')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .configureHelp({ helpWidth: 110 })
    .helpCommand(false)
    .helpOption('-h, --help', 'this text; after a command, about that command');
  for (const option of GLOBAL_OPTIONS) program.addOption(toOption(option));
  for (const definition of COMMAND_DEFINITIONS) program.addCommand(toCommand(definition, program, runner));
  // No command at all is a mistake, so that a script with an empty variable fails.
  program.action(() => program.help({ error: true }));
  return program;
}

function toCommand(definition: CommandDefinition, program: Command, runner: Runner): Command {
  const command = new Command(definition.name)
    .summary(definition.summary)
    .description(definition.description)
    .helpGroup(`${definition.group}:`)
    .copyInheritedSettings(program)
    .allowExcessArguments(false);
  for (const argument of definition.arguments ?? []) {
    const made = new Argument(argument.name, argument.description);
    command.addArgument(argument.choices === undefined ? made : made.choices(argument.choices));
  }
  for (const option of definition.options ?? []) command.addOption(toOption(option));
  return command.action(async (...parsed: unknown[]) => {
    const args = parsed.slice(0, -2).filter((value): value is string => typeof value === 'string');
    await runner(definition, command.opts(), args, program.opts());
  });
}

function toOption(definition: OptionDefinition): Option {
  const option = new Option(definition.flags, definition.description);
  if (definition.choices !== undefined) option.choices(definition.choices);
  if (option.attributeName() === 'set') {
    option.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]);
  }
  return option;
}
