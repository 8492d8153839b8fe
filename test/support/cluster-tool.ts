/** The command line in this process, with its output at hand: `pgglide k8s ...` as a user runs it. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownVersion } from '../../src/base/own-version.ts';
import { runCli } from '../../src/cli/run.ts';

/** What deploy/test-image makes. */
export const TEST_IMAGE = process.env.PGGLIDE_TEST_IMAGE ?? `pgglide:${ownVersion()}`;

export interface CliResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs with the given pgglide.yaml; `env` is laid over this process's. */
export async function runTool(
  config: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CliResult> {
  const folder = await mkdtemp(join(tmpdir(), 'pgglide-k8s-'));
  const said = { stdout: '', stderr: '' };
  const sink = (key: keyof typeof said) => ({
    write: (text: string) => {
      said[key] += text;
      return true;
    },
  });
  try {
    await writeFile(join(folder, 'pgglide.yaml'), config);
    const exitCode = await runCli(argv, {
      stdout: sink('stdout'),
      stderr: sink('stderr'),
      env: { ...process.env, NO_COLOR: '1', ...env },
      cwd: folder,
      stop: new AbortController(),
    });
    return { exitCode, ...said };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
