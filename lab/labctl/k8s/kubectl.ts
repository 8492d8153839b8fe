/** kubectl, which everybody who has a cluster has, too: no client of our own to keep. */

import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { LabError } from '../folder.ts';

export interface Cluster {
  readonly context: string;
  /** As in KUBECONFIG; undefined: kubectl's own place. */
  readonly kubeconfig: string | undefined;
  readonly namespace: string;
}

/** As much of any object as the lab looks at. */
export interface KubeObject {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly generation?: number;
    readonly deletionTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

export const environmentOf = ({ kubeconfig }: Pick<Cluster, 'kubeconfig'>): NodeJS.ProcessEnv =>
  kubeconfig === undefined ? process.env : { ...process.env, KUBECONFIG: kubeconfig };

export const argumentsOf = ({ context, namespace }: Cluster, args: readonly string[]): string[] => [
  ...(context === '' ? [] : ['--context', context]),
  ...(namespace === '' ? [] : ['--namespace', namespace]),
  ...args,
];

export interface KubectlOptions {
  readonly input?: string;
  readonly timeoutMs?: number;
}

/** @throws {LabError} with kubectl's own words, which name the verb and the resource that are forbidden */
export async function kubectl(
  cluster: Cluster,
  args: readonly string[],
  options: KubectlOptions = {},
): Promise<string> {
  return (await kubectlBytes(cluster, args, options)).toString('utf8');
}

export function kubectlBytes(
  cluster: Cluster,
  args: readonly string[],
  { input, timeoutMs = 60_000 }: KubectlOptions = {},
): Promise<Buffer> {
  const child = spawn('kubectl', argumentsOf(cluster, args), {
    env: environmentOf(cluster),
    stdio: 'pipe',
    timeout: timeoutMs,
  });
  const out: Buffer[] = [];
  let errors = '';
  child.stdout.on('data', (bytes: Buffer) => out.push(bytes));
  child.stderr.on('data', (bytes: Buffer) => {
    errors += bytes;
  });
  // One that ends before it has read everything says why on stderr.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input ?? '');
  return new Promise((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'ENOENT'
          ? new LabError('kubectl is needed, and is not on the PATH: https://kubernetes.io/docs/tasks/tools')
          : error,
      ),
    );
    child.once('close', (code, signal) => {
      if (code === 0) return resolve(Buffer.concat(out));
      const why = errors.trim() || (signal === null ? `exit code ${code}` : `no end within ${timeoutMs} ms`);
      reject(new LabError(`kubectl ${args.slice(0, 2).join(' ')}: ${why}`, 1));
    });
  });
}

/** Undefined: there is no such object. */
export async function find<T = KubeObject>(cluster: Cluster, what: string): Promise<T | undefined> {
  const text = await kubectl(cluster, ['get', what, '--ignore-not-found', '-o', 'json']);
  return text.trim() === '' ? undefined : (JSON.parse(text) as T);
}

export async function list<T = KubeObject>(cluster: Cluster, kinds: string, selector = ''): Promise<T[]> {
  const text = await kubectl(cluster, ['get', kinds, '-l', selector, '-o', 'json']);
  return (JSON.parse(text) as { items: T[] }).items;
}

export const apply = (cluster: Cluster, manifest: string): Promise<string> =>
  kubectl(cluster, ['apply', '-f', '-'], { input: manifest });

/** Secrets go in on stdin, and not through `apply`, which would keep a copy of them in an annotation. */
export async function ensureSecret(
  cluster: Cluster,
  name: string,
  values: Readonly<Record<string, string>>,
): Promise<void> {
  if ((await find(cluster, `secret/${name}`)) !== undefined) return;
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: values };
  await kubectl(cluster, ['create', '-f', '-'], { input: JSON.stringify(secret) });
}

/** @throws {LabError} `late()` when it did not become true in time */
export async function until(
  isTrue: () => Promise<boolean>,
  timeoutMs: number,
  late: () => Promise<string> | string,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new LabError(await late(), 1);
    await delay(500);
  }
}
