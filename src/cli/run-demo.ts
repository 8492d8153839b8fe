/** The demo is a program of its own in lab/: it drives this command line as a user would. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { packagePath } from '../base/package-root.ts';
import { UsageError } from '../domain/errors.ts';
import type { CommandContext, OptionValues } from './command.ts';

export async function runDemo(context: CommandContext, options: OptionValues): Promise<number> {
  const child = spawn(process.execPath, [...demoProgram(), ...toArguments(options)], {
    // By the pipe it notices our end, whatever that is.
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    cwd: context.cwd,
  });
  // A terminal tells both of us; a kill of this process alone must reach the child too.
  context.signal.addEventListener('abort', () => child.kill('SIGTERM'), { once: true });
  const [code] = (await once(child, 'exit')) as [number | null];
  context.signal.throwIfAborted();
  return code ?? 1;
}

function demoProgram(): string[] {
  const source = packagePath('lab', 'demo', 'main.ts');
  if (existsSync(source)) return ['--import', import.meta.resolve('tsx'), source];
  const built = packagePath('dist', 'lab', 'demo', 'main.js');
  if (existsSync(built)) return [built];
  throw new UsageError('demo_missing', 'The demo is not part of this installation', {
    hint: 'Run it from a checkout: npm ci && npm run demo',
  });
}

const toArguments = (options: OptionValues): string[] =>
  Object.entries(options).flatMap(([name, value]) => {
    if (value === undefined || value === false) return [];
    return value === true ? [`--${name}`] : [`--${name}`, value];
  });
