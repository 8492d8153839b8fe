/**
 * Events on our Job and its Lease. Both are for people who look at the cluster: a cluster that refuses them is told
 * about once, and the migration goes on.
 */

import { randomBytes } from 'node:crypto';
import type { CoreV1Event, V1Lease } from '@kubernetes/client-node';
import { withDeadline } from '../base/async.ts';
import type { PgglideError } from '../domain/errors.ts';
import { isSample, type MigrationEvent } from '../domain/event.ts';
import type { Cluster, NamedObject } from './cluster.ts';
import { camelCase, cutMessage, type EventText, eventText } from './event-text.ts';
import { microTime } from './load-client.ts';
import { objectName } from './manifests/own-names.ts';
import type { OwnJob } from './own-job.ts';

const LEASE_SECONDS = 30;
const RENEW_EVERY_MS = 10_000;
/** How long the end of a command waits for the API server to take the last of them. */
const CLOSE_TIMEOUT_MS = 10_000;
const COMPONENT = 'pgglide';

/** Told by those who only look. */
const LOOKED_AT: ReadonlySet<MigrationEvent['type']> = new Set(['warning', 'schema-changed']);

export class JobEvents {
  readonly #cluster: Cluster;
  readonly #job: OwnJob;
  readonly #options: { readonly migration: string; readonly warn: (message: string) => void };
  /** One after the other: they are read in this order. */
  #posting: Promise<void> = Promise.resolve();
  #renewal: NodeJS.Timeout | undefined;
  #isRenewing = false;
  #hasWarned = false;

  constructor(
    cluster: Cluster,
    job: OwnJob,
    options: { migration: string; warn: (message: string) => void },
  ) {
    this.#cluster = cluster;
    this.#job = job;
    this.#options = options;
  }

  onEvent(event: MigrationEvent): void {
    const text = eventText(event);
    if (text !== undefined) this.#enqueue(() => this.#post(text));
    // Something is being done, not only looked at.
    if (!isSample(event.type) && !LOOKED_AT.has(event.type)) this.#hold();
  }

  /** What the process is about to end with. */
  onFailure({ code, message, exitCode }: PgglideError): void {
    this.#enqueue(() =>
      this.#post({
        type: 'Warning',
        reason: camelCase(code),
        message: cutMessage(`${message} (exit code ${exitCode})`),
      }),
    );
  }

  /** Resolves when all is posted, or the API server does not take it. The Lease runs out by itself. */
  async close(): Promise<void> {
    clearInterval(this.#renewal);
    const posted = withDeadline('posting the last Events', CLOSE_TIMEOUT_MS, this.#posting);
    await posted.catch((error: unknown) => this.#warnOnce(error));
  }

  #hold(): void {
    if (this.#renewal !== undefined) return;
    this.#enqueueRenewal();
    this.#renewal = setInterval(() => this.#enqueueRenewal(), RENEW_EVERY_MS).unref();
  }

  /** One at a time: where the API server does not answer they would become ever more. */
  #enqueueRenewal(): void {
    if (this.#isRenewing) return;
    this.#isRenewing = true;
    this.#enqueue(() =>
      this.#renew().finally(() => {
        this.#isRenewing = false;
      }),
    );
  }

  #enqueue(work: () => Promise<unknown>): void {
    this.#posting = this.#posting.then(work).then(
      () => undefined,
      (error: unknown) => this.#warnOnce(error),
    );
  }

  #warnOnce(error: unknown): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    this.#options.warn(`The cluster does not take our Events or Lease: ${(error as Error).message}`);
  }

  async #post({ type, reason, message }: EventText): Promise<void> {
    const { name, uid, namespace, pod } = this.#job;
    const now = new Date();
    const event: CoreV1Event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name}.${randomBytes(8).toString('hex')}`, namespace },
      involvedObject: { apiVersion: 'batch/v1', kind: 'Job', name, namespace, uid },
      source: { component: COMPONENT },
      reportingComponent: COMPONENT,
      reportingInstance: pod,
      action: reason,
      type,
      reason,
      message,
      firstTimestamp: now,
      lastTimestamp: now,
      eventTime: await microTime(now),
      count: 1,
    };
    await this.#cluster.create(event as NamedObject);
  }

  async #renew(): Promise<void> {
    const { namespace, pod } = this.#job;
    const lease: V1Lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: objectName(this.#options.migration), namespace },
      spec: {
        holderIdentity: pod,
        leaseDurationSeconds: LEASE_SECONDS,
        renewTime: await microTime(new Date()),
      },
    };
    await this.#cluster.apply(lease as NamedObject);
  }
}
