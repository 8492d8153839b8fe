/**
 * What a switch costs the requests: the sample application under an open-loop load (latency counts from the scheduled
 * time), switched there and back, each switch beside a quiet stretch of the same run.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { MARGIN_MS, type SwitchOutput, windowOf } from '../lab/demo/figures.ts';
import { Stage } from '../lab/demo/stage.ts';
import { auditLedger } from '../lab/load/audit.ts';
import { type WindowStats, windowStats } from '../lab/load/latency.ts';
import { type Ledger, readLedger } from '../lab/load/ledger.ts';
import { median } from './median.ts';

export interface StallBenchOptions {
  /** Cutover and rollback each. */
  readonly rounds?: number;
  readonly rate?: number;
  readonly rows?: number;
}

export interface StallBenchResult {
  readonly rate: number;
  readonly switches: readonly {
    readonly direction: string;
    readonly pauseMs: number;
    readonly window: WindowStats;
  }[];
  /** Of as long a window, with nothing going on, right before each switch. */
  readonly quiet: readonly WindowStats[];
  readonly medianLongestMs: number;
  readonly worstLongestMs: number;
  readonly medianQuietLongestMs: number;
  /** Median longest wait at a switch less that of the quiet stretch before it. */
  readonly medianAddedMs: number;
  readonly medianPauseMs: number;
  readonly failed: number;
  readonly auditOk: boolean;
}

const QUIET_MS = 2500;

export async function run(options: StallBenchOptions = {}): Promise<StallBenchResult> {
  const { rounds = 5, rate = 500, rows = 200_000 } = options;
  const stage = await Stage.create({ rows, rate, from: 15, to: 16, jsonFile: undefined, keep: false });
  try {
    await stage.startServers();
    await stage.seedSource();
    await stage.startProxy();
    await stage.startApp();
    await stage.startLoad();
    for (const command of ['sync', 'verify']) await pgglide(stage, command);
    const outputs: SwitchOutput[] = [];
    for (let round = 0; round < rounds; round++) {
      for (const direction of ['cutover', 'rollback']) {
        await delay(QUIET_MS + 2 * MARGIN_MS);
        outputs.push((await pgglide(stage, direction)) as SwitchOutput);
      }
    }
    await delay(2 * MARGIN_MS);
    await stage.stopLoad();
    return await measure(stage, rate, outputs);
  } finally {
    await stage.close();
  }
}

async function pgglide(stage: Stage, command: string): Promise<unknown> {
  const { exitCode, stdout, stderr } = await stage.pgglide([command, '-o', 'json']);
  if (exitCode !== 0) throw new Error(`pgglide ${command} ended with ${exitCode}: ${stderr}`);
  return JSON.parse(stdout);
}

async function measure(
  stage: Stage,
  rate: number,
  outputs: readonly SwitchOutput[],
): Promise<StallBenchResult> {
  const { ledgerPath, seed } = stage;
  const ledger = await readLedger(ledgerPath, seed);
  const audit = await auditLedger({
    ledgerPath,
    seed,
    addresses: { active: stage.address('source'), other: stage.address('target') },
  });
  const switches = outputs.map((output) => ({
    direction: output.summary.direction,
    pauseMs: output.summary.pauseMs,
    window: around(ledger, output, 0),
  }));
  // The commands' own work (log-in, slot, warm-up) begins up to two seconds before the pause: the quiet stretch is before that.
  const quiet = outputs.map((output) => around(ledger, output, QUIET_MS + MARGIN_MS));
  const longest = switches.map(({ window }) => window.longestMs);
  return {
    rate,
    switches,
    quiet,
    medianLongestMs: median(longest),
    worstLongestMs: Math.max(...longest),
    medianQuietLongestMs: median(quiet.map(({ longestMs }) => longestMs)),
    medianAddedMs: median(longest.map((ms, index) => ms - (quiet[index]?.longestMs ?? 0))),
    medianPauseMs: median(switches.map(({ pauseMs }) => pauseMs)),
    failed: windowStats(ledger, 0, Number.POSITIVE_INFINITY).failed,
    auditOk: audit.ok,
  };
}

function around(ledger: Ledger, output: SwitchOutput, earlierMs: number): WindowStats {
  const { fromMs, toMs } = windowOf(output);
  return windowStats(ledger, fromMs - earlierMs, toMs - earlierMs);
}
