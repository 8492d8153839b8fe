/**
 * `kubectl pgglide [-n NAMESPACE] COMMAND ...`: the command line inside the migration's running pod, which has its
 * configuration, its Secrets and its network. kubectl does the talking, as whom it always does.
 */

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { packagePath } from '../base/package-root.ts';
import { PgglideError, PrerequisiteError, UsageError } from '../domain/errors.ts';
import { COMPONENT_LABEL, INSTANCE_LABEL, objectName } from '../kubernetes/manifests/own-names.ts';
import { CONTAINER } from '../kubernetes/manifests/pod-template.ts';
import { JOB_COMMANDS } from '../kubernetes/manifests/render-job.ts';
import { describeFailure, toPgglideError } from './failure.ts';
import { localArguments, type PluginArguments, pluginArguments } from './plugin-arguments.ts';

const KUBECTL = 'kubectl';
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** Resolves to the exit code: the command's own, once it ran. */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    const args = pluginArguments(argv);
    if (args.isLocal)
      return await run(process.execPath, [packagePath('bin', 'pgglide.js'), ...localArguments(args)]);
    const pod = await findPod(args);
    const tty = process.stdin.isTTY && process.stdout.isTTY ? ['-it'] : ['-i'];
    return await run(KUBECTL, [
      ...args.kubectl,
      ...['exec', ...tty, pod, '-c', CONTAINER, '--', 'pgglide', ...args.command],
    ]);
  } catch (thrown) {
    const error = toPgglideError(thrown, new AbortController().signal);
    if (error === undefined) return 0;
    process.stderr.write(`${describeFailure(error, { json: false, verbose: false })}\n`);
    return error.exitCode;
  }
}

interface PodList {
  readonly items: readonly ListedPod[];
}

export interface ListedPod {
  readonly metadata: {
    readonly name: string;
    readonly deletionTimestamp?: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly status: { readonly phase: string };
}

async function findPod({ kubectl, migration }: PluginArguments): Promise<string> {
  const selector =
    migration === undefined ? 'app.kubernetes.io/name=pgglide' : `${INSTANCE_LABEL}=${objectName(migration)}`;
  const { items } = await ask([...kubectl, 'get', 'pods', '-l', selector, '-o', 'json']);
  return choosePod(items);
}

/**
 * A Job's: proxies and dashboard have neither its configuration nor its rights.
 * @throws {PrerequisiteError} `pod_missing` @throws {UsageError} `several_migrations`
 */
export function choosePod(pods: readonly ListedPod[]): string {
  const isOfJob = ({ metadata }: ListedPod) =>
    (JOB_COMMANDS as readonly string[]).includes(metadata.labels[COMPONENT_LABEL] ?? '');
  const running = pods.filter(
    (pod) => isOfJob(pod) && pod.status.phase === 'Running' && pod.metadata.deletionTimestamp === undefined,
  );
  const migrations = [...new Set(running.map(({ metadata }) => metadata.labels[INSTANCE_LABEL] ?? ''))];
  if (migrations.length > 1) {
    throw new UsageError('several_migrations', `Several migrations run here: ${migrations.join(', ')}`, {
      hint: 'Say which: kubectl pgglide -m NAME ...',
    });
  }
  const pod = running.find(({ metadata }) => metadata.labels[COMPONENT_LABEL] === 'sync');
  const name = (pod ?? running[0])?.metadata.name;
  if (name !== undefined) return name;
  throw new PrerequisiteError('pod_missing', 'No Job of pgglide has a running pod in this namespace', {
    hint: 'Start the migration’s Job: pgglide k8s apply -n NAMESPACE',
  });
}

/** @throws {PrerequisiteError} `kubectl_failed` */
async function ask(args: readonly string[]): Promise<PodList> {
  try {
    const { stdout } = await promisify(execFile)(KUBECTL, args, { maxBuffer: MAX_ANSWER_BYTES });
    return JSON.parse(stdout) as PodList;
  } catch (error) {
    if (error instanceof PgglideError) throw error;
    const { stderr, message } = error as { stderr?: string; message: string };
    throw new PrerequisiteError('kubectl_failed', `kubectl: ${(stderr || message).trim()}`, {
      hint: 'Does the same kubectl command work by itself?',
    });
  }
}

/** With our own terminal; Ctrl-C goes to the child as well, and what ends us is handed on: it ends in its own way. */
async function run(program: string, args: readonly string[]): Promise<number> {
  const child = spawn(program, args, { stdio: 'inherit' });
  const wait = () => undefined;
  const end = () => child.kill('SIGTERM');
  process.on('SIGINT', wait).on('SIGTERM', end);
  const [code] = (await once(child, 'exit')) as [number | null];
  process.off('SIGINT', wait).off('SIGTERM', end);
  return code ?? 1;
}
