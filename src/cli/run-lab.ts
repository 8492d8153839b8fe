/** The lab is shell scripts in lab/, made to be read; here they are only found and called. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { packagePath } from '../base/package-root.ts';
import { UsageError } from '../domain/errors.ts';
import type { CommandContext, OptionValues } from './command.ts';

const SETUP = ['mode', 'rows', 'rate', 'context', 'namespace', 'image'];

/** What each action calls, and which of the command's options that script takes. */
const SCRIPTS: Readonly<Record<string, { script: string; fixed: string[]; takes: string[] }>> = {
  start: { script: 'setup.sh', fixed: [], takes: [...SETUP] },
  reset: { script: 'setup.sh', fixed: ['--reset'], takes: [...SETUP] },
  stop: { script: 'setup.sh', fixed: ['--down'], takes: ['mode'] },
  grade: { script: 'grade.sh', fixed: [], takes: ['mode', 'json', 'only'] },
  solve: { script: 'solution/solve.sh', fixed: [], takes: [] },
};

/** @throws {UsageError} `lab_missing`: an installed package has no lab; `lab_option`: not this action's */
export async function runLab(
  context: CommandContext,
  options: OptionValues,
  [action = '', number = '1']: readonly string[],
): Promise<number> {
  if (!existsSync(packagePath('lab', 'setup.sh'))) {
    throw new UsageError('lab_missing', 'The lab is not part of this installation', {
      hint: 'Run it from a checkout: npm ci && lab/setup.sh',
    });
  }
  if (action === 'hint') {
    context.output.print(hint(number).trimEnd());
    return 0;
  }
  const wanted = SCRIPTS[action] ?? { script: 'setup.sh', fixed: [], takes: [] };
  const { dir, ...others } = options;
  const folder = typeof dir === 'string' ? resolve(context.cwd, dir) : context.env.LAB_DIR;
  const flags = [...wanted.fixed, ...flagsFor(action, wanted.takes, others)];
  const isRemoving = action === 'reset' || action === 'stop';
  if (isRemoving && context.global.yes) flags.push('--yes');
  const child = spawn(packagePath('lab', wanted.script), flags, {
    stdio: 'inherit',
    cwd: context.cwd,
    env: { ...context.env, ...(folder === undefined ? {} : { LAB_DIR: folder }) },
  });
  context.signal.addEventListener('abort', () => child.kill('SIGTERM'), { once: true });
  const [code] = (await once(child, 'exit')) as [number | null];
  context.signal.throwIfAborted();
  return code ?? 1;
}

function flagsFor(action: string, takes: readonly string[], options: OptionValues): string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    if (typeof value !== 'string') return [];
    if (!takes.includes(name)) throw new UsageError('lab_option', `lab ${action} takes no --${name}`);
    return [`--${name}`, value];
  });
}

function hint(number: string): string {
  const folder = packagePath('lab', 'hints');
  const name = readdirSync(folder).find((file) => file.startsWith(`${number}-`));
  return name === undefined ? '' : readFileSync(packagePath('lab', 'hints', name), 'utf8');
}
