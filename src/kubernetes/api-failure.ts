/** What the API server answered, as our own errors: each says what failed and what mends it. */

import { DeadlineError } from '../base/async.ts';
import { PgglideError, PrerequisiteError, UnexpectedError, UnreachableError } from '../domain/errors.ts';
import { describeRight, policyRules, type Right, ruleLine } from './right.ts';

/** What was tried. */
export interface Attempt extends Right {
  readonly kind: string;
  readonly name: string | undefined;
  readonly namespace: string;
  /** What is not there yet is made, which takes the right to create, too. */
  readonly isApply?: boolean;
  /** The API server's URL. */
  readonly server: string;
}

interface Status {
  readonly message?: string;
  readonly reason?: string;
}

const whatOf = ({ verb, kind, name, namespace }: Attempt): string =>
  `${verb} ${kind}${name === undefined ? '' : ` "${name}"`} in namespace "${namespace}"`;

/** The HTTP status of an answer; undefined where there was none. */
function httpStatus(error: unknown): number | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === 'number' ? code : undefined;
}

/**
 * @returns `cluster_unreachable`, `cluster_login_failed`, `cluster_forbidden`, `cluster_object_missing`,
 *   `cluster_kind_unknown`, `cluster_object_changed`, `cluster_refused` or `cluster_failed`
 */
export function apiFailure(error: unknown, attempt: Attempt): PgglideError {
  if (error instanceof PgglideError) return error;
  const status = httpStatus(error);
  if (status === undefined) return withoutAnswer(error, attempt);
  const what = whatOf(attempt);
  const said = statusOf(error, attempt);
  const facts = { verb: attempt.verb, resource: attempt.resource, namespace: attempt.namespace, status };
  switch (status) {
    case 401:
      return new UnreachableError(
        'cluster_login_failed',
        `The cluster at ${attempt.server} does not let us in`,
        {
          hint: 'Renew the credentials of the kubeconfig’s context, or of the service account.',
          facts,
        },
      );
    case 403:
      return forbidden([attempt], attempt.namespace, said);
    case 404:
      if (isWholeGroup(error)) return kindUnknown(attempt);
      return new PrerequisiteError('cluster_object_missing', `Cannot ${what}: it is not there`, {
        hint: 'Check names, namespace and context.',
        facts,
      });
    case 409:
      return new PrerequisiteError('cluster_object_changed', `Cannot ${what}: ${said}`, {
        hint: 'Somebody else changes the same fields at the same time. Stop that, then run the same command again.',
        facts,
      });
    case 400:
    case 422:
      return new PrerequisiteError('cluster_refused', `Cannot ${what}: ${said}`, { facts });
    default:
      return new UnreachableError(
        'cluster_failed',
        `Cannot ${what}: the API server answered ${status} ${said}`,
        {
          hint: 'Run the same command again when the API server is well.',
          facts,
        },
      );
  }
}

/** What RBAC allows an admission rule may still forbid, with the same status: a quota, a policy, a webhook. */
export function refusedByRule(error: unknown, attempt: Attempt): PrerequisiteError {
  return new PrerequisiteError('cluster_refused', `Cannot ${whatOf(attempt)}: ${statusOf(error, attempt)}`, {
    hint: 'The rights are there: a quota, a policy or a webhook of the cluster is against it.',
  });
}

/** Names every right that is missing, and the rules that grant them. */
export function forbidden(missing: readonly Right[], namespace: string, said?: string): PrerequisiteError {
  const rights = missing.map(describeRight);
  return new PrerequisiteError(
    'cluster_forbidden',
    `Not allowed in namespace "${namespace}": ${rights.join(', ')}${said ? ` (${said})` : ''}`,
    {
      hint: `Add to a Role of that namespace, bound to whom pgglide runs as: ${policyRules(missing).map(ruleLine).join(' ')}`,
      facts: { missing: rights, namespace },
    },
  );
}

/** A Secret's rejection may quote its content. */
function statusOf(error: unknown, { kind }: Attempt): string {
  const body = (error as { body?: unknown }).body;
  const { message, reason } = parsed(body);
  return (kind === 'Secret' ? reason : (message ?? reason)) ?? 'no reason was given';
}

/** The API server says of an object that it is missing; of a whole API group it says nothing but 404. */
function isWholeGroup(error: unknown): boolean {
  const { body } = error as { body?: unknown };
  return body !== undefined && parsed(body).reason === undefined;
}

const kindUnknown = ({ server, kind }: Attempt): PrerequisiteError =>
  new PrerequisiteError('cluster_kind_unknown', `The cluster at ${server} knows no ${kind}`, {
    hint: 'Its version may be too old, or a resource definition (CRD) is not installed.',
  });

function parsed(body: unknown): Status {
  if (typeof body !== 'string') return (body ?? {}) as Status;
  try {
    return JSON.parse(body) as Status;
  } catch {
    return {};
  }
}

function withoutAnswer(error: unknown, attempt: Attempt): PgglideError {
  const { server } = attempt;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code !== undefined || error instanceof DeadlineError) {
    return new UnreachableError(
      'cluster_unreachable',
      `The cluster at ${server} does not answer: ${message}`,
      {
        hint: 'Is it running, is it the right context, and is its API server within reach from here?',
        facts: { server },
        cause: error,
      },
    );
  }
  if (message?.startsWith('Unrecognized API version and kind')) return kindUnknown(attempt);
  return new UnexpectedError('unexpected', `Kubernetes: ${message}`, { cause: error });
}
