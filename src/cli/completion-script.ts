/** Completion scripts, made from the same definitions as the help. Pure. */

import type { CommandDefinition, OptionDefinition } from './command.ts';

export function completionScript(
  shell: 'bash' | 'zsh',
  commands: readonly CommandDefinition[],
  globals: readonly OptionDefinition[],
): string {
  return shell === 'bash' ? bash(commands, globals) : zsh(commands, globals);
}

/** "-o, --format <format>" -> ["-o", "--format"] */
const names = (option: OptionDefinition): string[] => option.flags.match(/--?[a-zA-Z][\w-]*/g) ?? [];

const words = (options: readonly OptionDefinition[]): string =>
  ['--help', ...options.flatMap(names)].join(' ');

function bash(commands: readonly CommandDefinition[], globals: readonly OptionDefinition[]): string {
  const cases = commands.map((command) => {
    const choices = (command.arguments ?? []).flatMap((argument) => argument.choices ?? []);
    return `    ${command.name}) words="${[...choices, words([...(command.options ?? []), ...globals])].join(' ')}" ;;`;
  });
  return `_pgglide() {
  local current="\${COMP_WORDS[COMP_CWORD]}" command="" word words
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) command="$word"; break ;; esac
  done
  case "$command" in
${cases.join('\n')}
    *) words="${commands.map((command) => command.name).join(' ')} ${words(globals)}" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$current"))
}
complete -F _pgglide pgglide
`;
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function zsh(commands: readonly CommandDefinition[], globals: readonly OptionDefinition[]): string {
  const described = commands.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`);
  const cases = commands.map(
    ({ name, options, arguments: args }) =>
      `    ${name}) compadd -- ${[...(args ?? []).flatMap((argument) => argument.choices ?? []), words([...(options ?? []), ...globals])].join(' ')} ;;`,
  );
  return `#compdef pgglide
_pgglide() {
  local -a commands
  commands=(
${described.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    compadd -- ${words(globals)}
    return
  fi
  case "$words[2]" in
${cases.join('\n')}
  esac
  _files
}
compdef _pgglide pgglide
`;
}
