/**
 * Pods are deleted while the lab's database moves: the tool's during the copy and in the switch, without a warning; a
 * replica of the shop and a proxy around the switch, as `kubectl delete pod` does it.
 *
 * What must hold: no write is lost, doubled or torn, and no request fails, with one exception that is counted. A session
 * cannot be carried from one proxy to another: what a deleted proxy has in flight at its end, at most one request a session,
 * is answered with an error. A replica of the shop that is deleted in order fails none.
 */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { clusterOf, clusterRecordOf } from '../../lab/labctl/k8s/cluster-record.ts';
import { type Cluster, kubectl, list, until } from '../../lab/labctl/k8s/kubectl.ts';
import { isReady, type Pod, untilReady } from '../../lab/labctl/k8s/pods.ts';
import { readSecrets } from '../../lab/labctl/secrets.ts';
import { readLedger, succeeded } from '../../lab/load/ledger.ts';
import { sleep } from '../../src/base/async.ts';
import { Dice } from '../chaos/dice.ts';
import { LabBed, type Ran } from '../e2e/lab-bed.ts';
import { onCluster } from '../support/cluster.ts';
import { inCluster, LAB_RATE } from '../support/cluster-lab.ts';

const MINUTE_MS = 60_000;
const TOOL = 'job-name=pgglide-lab-sync';
const PROXY = 'app.kubernetes.io/component=proxy';
const SHOP = 'app=shop';
/** Of two replicas with eight sessions each. */
const SHOP_SESSIONS = 16;
const PLUGIN = fileURLToPath(new URL('../../bin/kubectl-pgglide.js', import.meta.url));

class Scene {
  readonly lab: LabBed;
  readonly cluster: Cluster;
  readonly dice: Dice;
  /** ms since 1970: when each proxy was deleted. */
  readonly proxyDeletionsMs: number[] = [];

  constructor(lab: LabBed, seed: number) {
    this.lab = lab;
    this.cluster = clusterOf(clusterRecordOf(lab.paths));
    this.dice = new Dice(seed);
  }

  pgglide(...args: readonly string[]): Promise<Ran> {
    const { context, namespace } = this.cluster;
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [PLUGIN, '--context', context, '--namespace', namespace, ...args],
        (error, stdout, stderr) =>
          resolve({ exitCode: error === null ? 0 : Number(error.code ?? 1), output: `${stdout}${stderr}` }),
      );
    });
  }

  /** As a person would: once more, as long as it was cut off. */
  async insist(isDone: () => Promise<boolean>, ...args: readonly string[]): Promise<void> {
    const said: string[] = [];
    for (let attempt = 0; attempt < 8; attempt++) {
      await this.ready(TOOL);
      const { output } = await this.pgglide(...args);
      said.push(output);
      if (await isDone()) return;
    }
    throw new Error(`pgglide ${args.join(' ')} did not come to its end:\n${said.join('\n--\n')}`);
  }

  async ready(selector: string): Promise<Pod[]> {
    let pods: Pod[] = [];
    await until(
      async () => {
        pods = (await list<Pod>(this.cluster, 'pods', selector)).filter(isReady);
        return pods.length > 0;
      },
      2 * MINUTE_MS,
      () => `No pod of ${selector} became ready`,
    );
    return pods;
  }

  async delete(selector: string): Promise<void> {
    const { metadata } = this.dice.pick(await this.ready(selector));
    if (selector === PROXY) this.proxyDeletionsMs.push(Date.now());
    // The tool is killed; the others are told, as by a drain of their node.
    const how = selector === TOOL ? ['--grace-period=0', '--force'] : [];
    await kubectl(this.cluster, ['delete', 'pod', metadata.name, '--wait=false', ...how]);
  }

  async activeSide(): Promise<string | undefined> {
    const { output } = await this.pgglide('status', '--format', 'json');
    return /"activeSide": *"(\w+)"/.exec(output)?.[1];
  }

  async whole(): Promise<void> {
    await untilReady(this.cluster, 'deployment', 'shop');
    await kubectl(this.cluster, ['rollout', 'status', 'deployment/pgglide-lab-proxy', '--timeout=120s'], {
      timeoutMs: 130_000,
    });
  }
}

onCluster('pods deleted at random', () => {
  test('tool, proxies and shop: nothing lost, nothing doubled, nothing failed but what a proxy had in flight', {
    timeout: 15 * MINUTE_MS,
  }, async ({ annotate }) => {
    const seed = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000);
    await using lab = await LabBed.create([...inCluster(), '--rows', '100000', '--rate', LAB_RATE]);
    const scene = new Scene(lab, seed);
    const { dice } = scene;
    expect(await lab.run('solution/01-check.sh')).toMatchObject({ exitCode: 0 });

    const syncing = lab.run('solution/03-sync.sh');
    for (const selector of [TOOL, SHOP, TOOL]) {
      await sleep(dice.between(0, 2_500));
      await scene.delete(selector);
    }
    await syncing; // cut off, or not: what counts is that the Job goes on
    const hasFollowed = async () =>
      (await scene.pgglide('wait', '--for=phase=following', '--timeout=60s')).exitCode === 0;
    await scene.insist(hasFollowed, 'status');
    await scene.insist(async () => (await list(scene.cluster, 'pods', PROXY)).length > 1, 'rehearse');
    await scene.whole();

    for (const [command, wanted, victims] of [
      ['cutover', 'target', [TOOL, SHOP]],
      ['rollback', 'source', [SHOP, TOOL]],
      ['cutover', 'target', [PROXY]],
    ] as const) {
      const switching = scene.pgglide(command, ...(command === 'cutover' ? ['--unverified'] : []));
      for (const victim of victims) {
        await sleep(dice.between(0, 3_000));
        await scene.delete(victim);
      }
      await switching;
      const isThere = async () => (await scene.activeSide()) === wanted;
      if (!(await isThere()))
        await scene.insist(isThere, command, ...(command === 'cutover' ? ['--unverified'] : []));
      await scene.whole();
    }

    const graded = await lab.grade(
      '--only',
      'app-on-target,no-lost-writes,no-extra-rows,load-kept,rollback-ready',
    );
    const why = `seed ${seed}\n${graded.output}`;
    expect(graded.of('no-lost-writes'), why).toBe('10/10');
    expect(graded.of('no-extra-rows'), why).toBe('3/3');
    expect(graded.of('load-kept'), why).toBe('5/5');
    expect(graded.of('rollback-ready'), why).toBe('6/6');

    const { header, outcomes } = await readLedger(lab.paths.ledger, readSecrets(lab.paths).seed);
    const failed = outcomes.filter((outcome) => !succeeded(outcome));
    const isProxysEnd = (atMs: number) =>
      scene.proxyDeletionsMs.some((deletedMs) => atMs > deletedMs - 5_000 && atMs < deletedMs + MINUTE_MS);
    await annotate(`seed ${seed}: ${failed.length} of ${outcomes.length} requests failed`);
    const others = failed.filter(({ atMs }) => !isProxysEnd(header.startedAtMs + atMs));
    expect(others, why).toEqual([]);
    expect(failed.length, `${why}${JSON.stringify(failed)}`).toBeLessThanOrEqual(SHOP_SESSIONS);
  });
});
