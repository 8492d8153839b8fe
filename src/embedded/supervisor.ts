/**
 * The parent process of one postmaster: a small shell that holds our pipe. Whatever ends us
 * (kill -9 included) closes the pipe, and the shell then stops its own child, which no
 * process id of anyone else's can be mistaken for, and removes the folder if it was temporary.
 */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type { Account } from './server-account.ts';

/**
 * $1: folder to remove when we die, or empty. $2: log file. The rest: the server's command line.
 * A word on stdin is a signal to send, `leave` lets the server outlive us, end of file means that we died.
 */
const SCRIPT = `
remove=$1; log=$2; shift 2
exec 3<&0
"$@" </dev/null >>"$log" 2>&1 3<&- &
server=$!
(
  while read -r word <&3; do
    case $word in
      INT|QUIT) kill -"$word" "$server" ;;
      leave) exit 0 ;;
    esac
  done
  kill -QUIT "$server"
  exit 9
) >/dev/null 2>&1 &
reader=$!
exec 3<&-
echo "$server"
wait "$server"; status=$?
kill "$reader" 2>/dev/null
wait "$reader"
if [ $? -eq 9 ] && [ -n "$remove" ]; then cd / && rm -rf -- "$remove"; fi
exit "$status"
`;

export interface SupervisorOptions {
  readonly command: readonly string[];
  readonly logPath: string;
  readonly cwd: string;
  readonly account: Account | undefined;
  readonly environment: NodeJS.ProcessEnv;
  /** Removed, with all it holds, when this process dies without stopping the server. */
  readonly removeOnDeath: string | undefined;
}

export class Supervisor {
  /** The postmaster's. */
  readonly pid: number;
  /** Resolves when the postmaster has ended. */
  readonly ended: Promise<void>;
  #hasEnded = false;
  #left = false;
  readonly #shell: ChildProcessByStdio<Writable, Readable, null>;

  private constructor(shell: ChildProcessByStdio<Writable, Readable, null>, pid: number) {
    this.#shell = shell;
    this.pid = pid;
    this.ended = new Promise((resolve) => {
      if (shell.exitCode !== null || shell.signalCode !== null) resolve();
      shell.once('exit', () => resolve());
    });
    void this.ended.then(() => {
      this.#hasEnded = true;
    });
  }

  static async start(options: SupervisorOptions): Promise<Supervisor> {
    const { removeOnDeath, logPath, command } = options;
    const shell = spawn(
      '/bin/sh',
      ['-c', SCRIPT, 'pgglide-supervisor', removeOnDeath ?? '', logPath, ...command],
      {
        ...options.account,
        cwd: options.cwd,
        env: options.environment,
        // Its own session: Ctrl-C in our terminal is ours to act on, not the server's.
        detached: true,
        stdio: ['pipe', 'pipe', 'ignore'],
      },
    );
    shell.stdin.on('error', () => undefined);
    const pid = await firstNumber(shell);
    // A program that forgets to stop its server still ends; the server then ends with it.
    shell.unref();
    (shell.stdin as Writable & { unref?(): void }).unref?.();
    (shell.stdout as Readable & { unref?(): void }).unref?.();
    return new Supervisor(shell, pid);
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** SIGINT is a fast shutdown, SIGQUIT an immediate one. */
  signal(word: 'INT' | 'QUIT'): void {
    if (this.#hasEnded) return;
    if (this.#left) process.kill(this.pid, `SIG${word}`);
    else this.#shell.stdin.write(`${word}\n`);
  }

  /** The server outlives this process from now on. */
  async leave(): Promise<void> {
    this.#left = true;
    await new Promise<void>((resolve) => this.#shell.stdin.end('leave\n', () => resolve()));
  }
}

async function firstNumber(shell: ChildProcessByStdio<Writable, Readable, null>): Promise<number> {
  const failed = once(shell, 'error').then(([error]) => {
    throw error;
  });
  const [chunk] = (await Promise.race([once(shell.stdout, 'data'), failed])) as [Buffer];
  failed.catch(() => undefined);
  return Number.parseInt(chunk.toString('latin1'), 10);
}
