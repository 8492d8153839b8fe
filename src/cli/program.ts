/** The commands as commander sees them. */

import { Argument, Command, Option } from 'commander';
import { ownVersion } from '../base/own-version.ts';
import type { CommandDefinition, GlobalOptions, OptionDefinition, OptionValues } from './command.ts';
import { COMMAND_DEFINITIONS } from './commands.ts';
import { GLOBAL_OPTIONS } from './global-options.ts';
import type { Streams } from './output.ts';

export type Runner = (
  definition: CommandDefinition,
  options: OptionValues,
  args: readonly string[],
  global: GlobalOptions,
) => Promise<void>;

const HELP_WIDTH = 110;
const PURPOSE = 'pgglide: move a live PostgreSQL database to a new major version without failing a request';

export function buildProgram(streams: Streams, runner: Runner): Command {
  const program = new Command('pgglide')
    .description(PURPOSE)
    .usage('COMMAND [flags]')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => streams.stdout.write(text),
      writeErr: (text) => streams.stderr.write(text),
      // Told by failure.ts.
      outputError: () => undefined,
    })
    .configureHelp({ helpWidth: HELP_WIDTH })
    .helpCommand(false)
    .version(ownVersion(), '--version', 'the version')
    .helpOption('-h, --help', 'this text; after a command, about that command');
  for (const option of GLOBAL_OPTIONS) program.addOption(toOption(option));
  for (const definition of COMMAND_DEFINITIONS) program.addCommand(toCommand(definition, program, runner));
  return commandsFirst(program);
}

/** What can be done comes before how it can be bent. */
function commandsFirst(program: Command): Command {
  const flags = program.createHelp();
  const options = flags.visibleOptions(program);
  const width = Math.max(...options.map((option) => option.flags.length)) + 2;
  return program
    .configureHelp({
      helpWidth: HELP_WIDTH,
      visibleOptions: () => [],
      subcommandTerm: (command) =>
        [command.name(), ...command.registeredArguments.map((argument) => `<${argument.name()}>`)].join(' '),
    })
    .addHelpText('after', () =>
      [
        '',
        'Flags of every command:',
        ...options.map((option) => `  ${option.flags.padEnd(width)}${option.description}`),
      ].join('\n'),
    );
}

function toCommand(definition: CommandDefinition, program: Command, runner: Runner): Command {
  const command = new Command(definition.name)
    .summary(definition.summary)
    .description(definition.description)
    .helpGroup(`${definition.group}:`)
    .copyInheritedSettings(program)
    .allowExcessArguments(false)
    .addHelpText('after', '\nFlags of every command: pgglide --help');
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
