/** A lab in a folder of the test's own, driven by its scripts as a learner drives them; without a cluster unless told. */

import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Paths, pathsOf, readJson } from '../../lab/labctl/folder.ts';
import type { GradeResult } from '../../lab/labctl/grade/types.ts';
import { isAlive, type ProcessRecord } from '../../lab/labctl/local/processes.ts';

const LAB = fileURLToPath(new URL('../../lab/', import.meta.url));

export interface Ran {
  readonly exitCode: number;
  readonly output: string;
}

export interface Graded extends Ran {
  readonly result: GradeResult;
  /** Points of a check, and the most it gives. */
  of(id: string): string;
}

export class LabBed implements AsyncDisposable {
  readonly paths: Paths;
  readonly reportPath: string;
  readonly jsonPath: string;
  readonly #folder: string;
  readonly #where: readonly string[];

  private constructor(folder: string, where: readonly string[]) {
    this.#folder = folder;
    this.#where = where;
    this.paths = pathsOf(join(folder, 'lab'));
    this.reportPath = join(folder, 'migration-report.txt');
    this.jsonPath = join(folder, 'grade.json');
  }

  /** Set up, with little data and a light load. `where`: more arguments of setup.sh, for each of its calls. */
  static async create(where: readonly string[] = []): Promise<LabBed> {
    const bed = await LabBed.folder(where);
    const { exitCode, output } = await bed.setup();
    if (exitCode === 0) return bed;
    await bed[Symbol.asyncDispose]();
    throw new Error(output);
  }

  /** Nothing is set up yet. */
  static async folder(where: readonly string[] = []): Promise<LabBed> {
    const folder = await mkdtemp(join(tmpdir(), 'pgglide-lab-'));
    await chmod(folder, 0o755);
    return new LabBed(folder, where);
  }

  setup(...args: string[]): Promise<Ran> {
    const size = ['--rows', '3000', '--rate', '50'];
    return this.run('setup.sh', '--dir', this.paths.folder, ...size, ...this.#where, ...args);
  }

  async grade(...args: string[]): Promise<Graded> {
    const ran = await this.run('grade.sh', '--dir', this.paths.folder, '--json', this.jsonPath, ...args);
    const result = JSON.parse(await readFile(this.jsonPath, 'utf8')) as GradeResult;
    const of = (id: string) => {
      const test = result.tests.find((one) => one.id === id);
      return `${test?.score}/${test?.max_score}`;
    };
    return { ...ran, result, of };
  }

  /** A script of the lab; its output is both streams, as they came. */
  run(script: string, ...args: string[]): Promise<Ran> {
    const env = { ...process.env, LAB_DIR: this.paths.folder, LAB_REPORT: this.reportPath };
    return new Promise((resolve) => {
      const child = execFile(
        join(LAB, script),
        args,
        { env, cwd: this.#folder, maxBuffer: 1e8 },
        (error, stdout, stderr) => {
          const exitCode = error === null ? 0 : Number(error.code ?? 1);
          resolve({ exitCode, output: `${stdout}${stderr}` });
        },
      );
      child.stdin?.end();
    });
  }

  writeReport(text: string): Promise<void> {
    return writeFile(this.reportPath, text);
  }

  /** Every process that the lab has started, by name. */
  async processes(): Promise<Map<string, ProcessRecord>> {
    const names = (await readdir(this.paths.run)).filter((name) => name.endsWith('.json'));
    const records = names.map((name) => [name, readJson<ProcessRecord>(join(this.paths.run, name))] as const);
    return new Map(
      records.flatMap(([name, record]) =>
        record === undefined ? [] : [[name.replace('.json', ''), record]],
      ),
    );
  }

  /** Sends the signal, and waits for the end of the process. */
  async end(name: string, signal: NodeJS.Signals): Promise<void> {
    const record = (await this.processes()).get(name);
    if (record === undefined) throw new Error(`${name} does not run`);
    process.kill(record.pid, signal);
    while (isAlive(record)) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run('setup.sh', '--dir', this.paths.folder, '--down', '--yes');
    await rm(this.#folder, { recursive: true, force: true });
  }
}
