/**
 * Runs a program of the user's, without a shell, within a time limit. What it says is handed on, never gathered here.
 * It leads a process group of its own: no Ctrl-C of the terminal reaches it, we decide. When we are ended, it is killed.
 */

import { type ChildProcess, spawn } from 'node:child_process';

export interface ProgramOptions {
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Written to its stdin, which is closed then. Whether it reads it is its own affair. */
  readonly input?: string;
  /** For the program and everything that keeps its output open. */
  readonly timeoutMs: number;
  /** Aborted: it is ended as at the time limit. */
  readonly signal?: AbortSignal;
  /** At its end by us everything that it started ends with it. Otherwise only the program itself is killed. */
  readonly asGroup?: boolean;
  readonly onOutput: (chunk: Buffer, stream: 'stdout' | 'stderr') => void;
}

export interface ProgramEnd {
  /** Undefined when it was not started, or a signal ended it. */
  readonly exitCode: number | undefined;
  readonly endedBySignal: NodeJS.Signals | undefined;
  /** The system's word for why it did not start: ENOENT, EACCES. */
  readonly notStarted: string | undefined;
  /** Why we ended it. */
  readonly endedFor: 'time' | 'stop' | undefined;
}

/** Between the request to end and the end. */
const GRACE_MS = 2000;

/** Never rejects. */
export async function runProgram(program: string, options: ProgramOptions): Promise<ProgramEnd> {
  const { input, onOutput } = options;
  let child: ChildProcess;
  try {
    child = spawn(program, options.args ?? [], {
      env: options.env as NodeJS.ProcessEnv,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      detached: true,
    });
  } catch (error) {
    return notStarted(error);
  }
  child.stdout?.on('data', (chunk: Buffer) => onOutput(chunk, 'stdout'));
  child.stderr?.on('data', (chunk: Buffer) => onOutput(chunk, 'stderr'));
  // A program that does not read what it is told closes the pipe on us (EPIPE).
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input);
  const limits = keepWithin(child, options);
  try {
    return await new Promise<ProgramEnd>((resolve) => {
      child.on('error', (error) => {
        if (child.pid === undefined) resolve(notStarted(error));
      });
      child.on('close', (code, signal) =>
        resolve({
          exitCode: code ?? undefined,
          endedBySignal: signal ?? undefined,
          notStarted: undefined,
          endedFor: limits.endedFor(),
        }),
      );
    });
  } finally {
    limits.lift();
  }
}

const notStarted = (error: unknown): ProgramEnd => ({
  exitCode: undefined,
  endedBySignal: undefined,
  notStarted: (error as NodeJS.ErrnoException).code ?? String(error),
  endedFor: undefined,
});

function keepWithin(
  child: ChildProcess,
  { timeoutMs, signal, asGroup }: ProgramOptions,
): { endedFor(): ProgramEnd['endedFor']; lift(): void } {
  let endedFor: ProgramEnd['endedFor'];
  let grace: NodeJS.Timeout | undefined;
  const kill = () => {
    send(child, 'SIGKILL', asGroup);
    // Something that left the group may hold them for ever.
    child.stdout?.destroy();
    child.stderr?.destroy();
  };
  const end = (why: NonNullable<typeof endedFor>) => {
    if (endedFor !== undefined) return;
    endedFor = why;
    if (!asGroup) return kill();
    send(child, 'SIGTERM', asGroup);
    grace = setTimeout(kill, GRACE_MS);
  };
  const onAbort = () => end('stop');
  const onExit = () => send(child, 'SIGKILL', asGroup);
  const limit = setTimeout(() => end('time'), timeoutMs);
  process.once('exit', onExit);
  if (signal?.aborted) onAbort();
  else signal?.addEventListener('abort', onAbort, { once: true });
  return {
    endedFor: () => endedFor,
    lift: () => {
      clearTimeout(limit);
      clearTimeout(grace);
      process.off('exit', onExit);
      signal?.removeEventListener('abort', onAbort);
      // Who kept its output had the time to end; who has let go of it may still be there.
      if (asGroup && endedFor !== undefined) send(child, 'SIGKILL', asGroup);
    },
  };
}

function send(child: ChildProcess, name: NodeJS.Signals, asGroup: boolean | undefined): void {
  if (child.pid === undefined) return;
  try {
    if (asGroup) process.kill(-child.pid, name);
    else child.kill(name);
  } catch {
    // Nobody is left.
  }
}
