/** Processes of the demo's own, ended with it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface Finished {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Asks a child to end once its pipe to us closes: also when nothing of ours could run any more (kill -9). */
const ENDS_WITH_US =
  "data:text/javascript,process.on('disconnect',()=>process.kill(process.pid,'SIGTERM'));process.channel.unref()";

/** Of Node.js programs, all of them. */
export class Children {
  readonly #running = new Set<ChildProcess>();
  #isEnded = false;

  /** Runs to its end. Not told of Ctrl-C by the terminal (its own process group): end() decides the order. */
  async run(
    command: readonly string[],
    env: Environment,
    onLine?: (line: string) => void,
  ): Promise<Finished> {
    const child = this.#spawn(command, env);
    const stdout: string[] = [];
    const stderr: string[] = [];
    child.stdout?.setEncoding('utf8').on('data', (text: string) => stdout.push(text));
    if (child.stderr) {
      createInterface({ input: child.stderr }).on('line', (line) => {
        stderr.push(line);
        onLine?.(line);
      });
    }
    // At its exit something that it said may still be on its way.
    const [code] = (await once(child, 'close')) as [number | null];
    return { exitCode: code ?? 1, stdout: stdout.join(''), stderr: stderr.join('\n') };
  }

  /** Runs until end() or stop(); resolves at the first line for which `isReady` gives something. */
  async start<T>(
    command: readonly string[],
    env: Environment,
    isReady: (line: string) => T | undefined,
  ): Promise<{ readonly ready: T; stop(): Promise<readonly string[]> }> {
    const child = this.#spawn(command, env);
    const lines: string[] = [];
    const ready = new Promise<T>((resolve, reject) => {
      const read = (line: string) => {
        lines.push(line);
        const found = isReady(line);
        if (found !== undefined) resolve(found);
      };
      if (child.stdout) createInterface({ input: child.stdout }).on('line', read);
      if (child.stderr) createInterface({ input: child.stderr }).on('line', read);
      void ended(child).then((code) => {
        reject(
          new Error(`${command.slice(0, 4).join(' ')} ended with ${code}:\n${lines.slice(-20).join('\n')}`),
        );
      });
    });
    const stop = async () => {
      const gone = ended(child);
      child.kill('SIGTERM');
      await gone;
      return lines;
    };
    return { ready: await ready, stop };
  }

  /** Ends all that still run, the last started first, and lets no more begin: what was under way goes on for a moment. */
  async end(): Promise<void> {
    this.#isEnded = true;
    for (const child of [...this.#running].reverse()) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
      await ended(child);
      clearTimeout(timer);
    }
  }

  #spawn([program = '', ...args]: readonly string[], env: Environment): ChildProcess {
    if (this.#isEnded) throw new Error(`${program} is not started: everything is being ended`);
    const child = spawn(program, ['--import', ENDS_WITH_US, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    });
    child.channel?.unref();
    this.#running.add(child);
    child.once('exit', () => this.#running.delete(child));
    child.once('error', () => this.#running.delete(child));
    return child;
  }
}

function ended(child: ChildProcess): Promise<number> {
  if (child.exitCode !== null) return Promise.resolve(child.exitCode);
  if (child.signalCode !== null) return Promise.resolve(1);
  return new Promise((resolve) => {
    child.once('exit', (code) => resolve(code ?? 1));
    child.once('error', () => resolve(1));
  });
}
