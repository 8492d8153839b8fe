/** `npm run demo`: a whole migration on this machine, there, back and there again, under load, audited. */

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { auditLedger } from '../load/audit.ts';
import { longestOfSeconds, windowStats } from '../load/latency.ts';
import { readLedger } from '../load/ledger.ts';
import { type Figures, figuresOf, type SwitchOutput, windowOf } from './figures.ts';
import { type DemoOptions, parseOptions } from './options.ts';
import { Screen } from './screen.ts';
import { Stage } from './stage.ts';

/** A command of ours that failed: shown as it is, no stack. */
class CommandFailed extends Error {}

/** The demo's servers are its own: what the user's variables say of others (PGOPTIONS, PGSERVICE, PGGLIDE_SOURCE) would break it. */
function forgetOtherServers(): void {
  for (const name of Object.keys(process.env)) if (name.startsWith('PG')) delete process.env[name];
}

async function main(): Promise<number> {
  forgetOtherServers();
  let options: DemoOptions;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    console.error(
      `${(error as Error).message}\nnpm run demo -- [--rows N] [--rate N] [--from 15] [--to 16] [--json FILE] [--keep]`,
    );
    return 2;
  }
  let stage: Stage;
  try {
    stage = await Stage.create(options);
  } catch (error) {
    console.error(`No folder for the demo's files: ${(error as Error).message}\nTMPDIR names another one.`);
    return 2;
  }
  const screen = new Screen();
  let isStopping = false;
  const stopped = whenStopped(async () => {
    isStopping = true;
    screen.line('stopping: ending every process of the demo');
    await stage.close();
  });
  try {
    const figures = await Promise.race([play(stage, screen), stopped]);
    if (figures === 'stopped') return 130;
    if (options.jsonFile !== undefined)
      await writeFile(options.jsonFile, `${JSON.stringify(figures, null, 2)}\n`);
    if (options.keep) {
      screen.kept(stage.howToConnect());
      await stopped;
    }
    return figures.ok ? 0 : 1;
  } catch (error) {
    // What was under way when everything was ended has failed, of course.
    if (isStopping) {
      await stopped;
      return 130;
    }
    screen.fail(error instanceof CommandFailed ? error.message : String((error as Error).stack ?? error));
    return 1;
  } finally {
    await stage.close();
  }
}

/**
 * Ctrl-C, a terminal that closes, a reader that goes away (`| head`) and the end of `pgglide demo` end the demo alike. Asked twice it does not
 * go sooner: what it has started is nobody else's to end.
 */
function whenStopped(end: () => Promise<void>): Promise<'stopped'> {
  return new Promise((resolve) => {
    let isEnding = false;
    const stop = () => {
      if (isEnding) return;
      isEnding = true;
      void end().finally(() => resolve('stopped'));
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
    process.on('disconnect', stop);
    process.channel?.unref();
    for (const stream of [process.stdout, process.stderr]) {
      stream.once('error', stop);
      // What is said from then on fails, too.
      stream.on('error', () => undefined);
    }
  });
}

async function play(stage: Stage, screen: Screen): Promise<Figures> {
  const started = performance.now();
  const { options } = stage;
  await screen.during('starting servers', () => stage.startServers());
  screen.done(`PostgreSQL ${stage.versions.join(' and ')} started (embedded, 127.0.0.1)`);
  await screen.during(`making a shop of ${options.rows} rows`, () =>
    Promise.all([stage.seedSource(), stage.startProxy()]),
  );
  await screen.during('starting the application', () => Promise.all([stage.startApp(), stage.settleDisk()]));
  await stage.startLoad();
  screen.done(`shop of ${screen.count(options.rows)} rows behind the proxy, ${options.rate} req/s running`);

  await run(stage, screen, ['check']);
  await run(stage, screen, ['sync']);
  await run(stage, screen, ['verify']);
  await run(stage, screen, ['rehearse']);
  const switches: SwitchOutput[] = [];
  for (const direction of ['cutover', 'rollback', 'cutover'] as const) {
    // Ends with every row compared, seconds after the resume: the next pause does not reach into this one's figures.
    switches.push((await run(stage, screen, [direction])) as SwitchOutput);
  }
  if (!options.keep) await stage.stopLoad();
  const [report] = await Promise.all([run(stage, screen, ['report']), saveReports(stage)]);
  screen.note(`report: ${REPORT}.txt, and to look at: ${REPORT}.html`);
  return audit(stage, screen, {
    seconds: (performance.now() - started) / 1000,
    switches,
    copy: (report as { readonly copy: Figures['copy'] }).copy,
  });
}

async function run(stage: Stage, screen: Screen, args: readonly string[]): Promise<unknown> {
  const command = `pgglide ${args.join(' ')}`;
  const finished = await screen.during(command, (tell) => stage.pgglide([...args, '-o', 'json'], tell));
  if (finished.exitCode !== 0) {
    throw new CommandFailed(
      `${command} ended with exit code ${finished.exitCode}\n${finished.stderr}\n${finished.stdout.slice(0, 4000)}`,
    );
  }
  const output = JSON.parse(finished.stdout) as unknown;
  screen.command(args[0] ?? '', output);
  return output;
}

interface Played {
  readonly seconds: number;
  readonly switches: readonly SwitchOutput[];
  readonly copy: Figures['copy'];
}

async function audit(stage: Stage, screen: Screen, played: Played): Promise<Figures> {
  const { ledgerPath, seed } = stage;
  const addresses = { active: stage.address('target'), other: stage.address('source') };
  const result = await screen.during('auditing every write', () =>
    auditLedger({ ledgerPath, seed, addresses }),
  );
  const ledger = await readLedger(ledgerPath, seed);
  const all = windowStats(ledger, 0, Number.POSITIVE_INFINITY);
  const windows = played.switches.map(windowOf);
  const switches = played.switches.map((output) => {
    const { fromMs, toMs } = windowOf(output);
    return { output, window: windowStats(ledger, fromMs, toMs) };
  });
  const whole = { fromMs: windows[0]?.fromMs ?? 0, toMs: windows.at(-1)?.toMs ?? 0 };
  const figures = figuresOf({
    ...played,
    requests: { total: all.requests, failed: all.failed },
    switches,
    betweenMs: longestOfSeconds(ledger, whole, windows),
    audit: result,
  });
  screen.verdict(figures);
  return figures;
}

const REPORT = '.pgglide/demo/report';

/** The account of the migration, beside the checkout's other scratch files. */
async function saveReports(stage: Stage): Promise<void> {
  await mkdir(dirname(REPORT), { recursive: true });
  for (const [format, ending] of [
    ['text', 'txt'],
    ['html', 'html'],
  ] as const) {
    const { stdout } = await stage.pgglide(['report', '-o', format]);
    await writeFile(`${REPORT}.${ending}`, stdout);
  }
}

process.exitCode = await main();
