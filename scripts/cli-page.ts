/** docs/cli.md out of the definitions that make the help. Pure. */

import type { CommandDefinition, OptionDefinition } from '../src/cli/command.ts';
import { FAMILIES } from '../src/domain/error-codes.ts';
import { code, GENERATED, table } from './markdown.ts';

export function cliPage(
  commands: readonly CommandDefinition[],
  globals: readonly OptionDefinition[],
): string {
  const groups = [...new Set(commands.map((command) => command.group))];
  return [
    '# Commands and exit codes',
    GENERATED,
    'Results go to stdout, everything else to stderr. Every command may be stopped with Ctrl-C and run again.',
    '',
    ...groups.flatMap((group) => [
      `**${group}**`,
      '',
      table(
        ['command', ''],
        commands
          .filter((command) => command.group === group)
          .map(({ name, summary }) => [`[${code(name)}](#${name})`, summary]),
      ),
      '',
    ]),
    '## Flags of every command',
    '',
    optionTable(globals),
    '',
    'A flag goes over the environment, the environment over the file: see [config.md](config.md).',
    '',
    '## Exit codes',
    '',
    table(
      ['exit', 'family', 'as a Kubernetes Job'],
      [
        ['0', 'done; `check` also with warnings only (`--strict` makes it 3)', 'done'],
        ...Object.values(FAMILIES).map(({ exitCode, meaning, job }) => [String(exitCode), meaning, job]),
      ],
    ),
    '',
    'Every error has a code of its own: [errors.md](errors.md), or `pgglide explain CODE`.',
    '',
    ...commands.flatMap(commandSection),
  ].join('\n');
}

function commandSection(command: CommandDefinition): string[] {
  const args = (command.arguments ?? []).map((argument) => ` ${argument.name}`).join('');
  const options = command.options ?? [];
  const exitCodes = Object.entries(command.exitCodes ?? {});
  return [
    `## ${command.name}`,
    '',
    `    pgglide ${command.name}${args}${options.length > 0 ? ' [flags]' : ''}`,
    '',
    command.description,
    '',
    ...(command.arguments === undefined
      ? []
      : [
          table(
            ['argument', ''],
            command.arguments.map(({ name, description }) => [code(name), description]),
          ),
          '',
        ]),
    ...(options.length === 0 ? [] : [optionTable(options), '']),
    ...(exitCodes.length === 0
      ? []
      : [`Exit codes: ${exitCodes.map(([exit, meaning]) => `${exit} ${meaning}`).join('; ')}.`, '']),
  ];
}

const optionTable = (options: readonly OptionDefinition[]): string =>
  table(
    ['flag', ''],
    options.map(({ flags, description, choices }) => [
      code(flags),
      choices === undefined ? description : `${description}: ${choices.map(code).join(', ')}`,
    ]),
  );
