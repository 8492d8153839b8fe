/** `pgglide k8s`: what the cluster shall have, and what it has. */

import { Writable } from 'node:stream';
import { ownVersion } from '../base/own-version.ts';
import { kubernetesApplication } from '../config/kubernetes-traffic.ts';
import { readConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { UsageError } from '../domain/errors.ts';
import { type Cluster, openCluster } from '../kubernetes/cluster.ts';
import type { ClusterChoice } from '../kubernetes/kubeconfig.ts';
import { applyManifests } from '../kubernetes/manifests/apply.ts';
import { clusterFeatures, MODERN } from '../kubernetes/manifests/cluster-features.ts';
import { configMapText } from '../kubernetes/manifests/config-text.ts';
import { followJob } from '../kubernetes/manifests/follow-job.ts';
import { jobName, objectName } from '../kubernetes/manifests/own-names.ts';
import { type Manifest, renderManifests } from '../kubernetes/manifests/render.ts';
import { type AccessRight, accessRules, jobRights } from '../kubernetes/manifests/render-access.ts';
import { dashboardName } from '../kubernetes/manifests/render-dashboard.ts';
import type { JobCommand } from '../kubernetes/manifests/render-job.ts';
import { rightsText } from '../kubernetes/manifests/rights-text.ts';
import { toYaml } from '../kubernetes/manifests/to-yaml.ts';
import { painter } from '../observers/style.ts';
import { trafficRights } from '../traffic/kubernetes-rights.ts';
import type { CommandContext, OptionValues } from './command.ts';
import type { Output } from './output.ts';

const DEFAULT_NAMESPACE = 'default';

/** What all actions start from. */
interface Wanted {
  readonly migration: string;
  readonly choice: ClusterChoice;
  readonly command: JobCommand;
  /** The name of its objects; undefined: none is wanted. */
  readonly dashboard: string | undefined;
  /** Of the service account. */
  readonly rights: readonly AccessRight[];
  render(namespace: string, version: string): Manifest[];
}

export async function runK8s(
  context: CommandContext,
  options: OptionValues,
  action: string,
): Promise<number> {
  const wanted = readWanted(context, options);
  if (action === 'render') {
    const namespace = wanted.choice.namespace ?? DEFAULT_NAMESPACE;
    const objects = wanted.render(namespace, String(options.kubernetes ?? MODERN));
    context.output.result(objects, () => toYaml(objects));
    return 0;
  }
  const cluster = await openCluster(wanted.choice, context.env);
  if (action === 'apply') return await apply(context, cluster, wanted);
  if (action === 'rbac') return await showRights(context, cluster, wanted);
  return await followJob(cluster, {
    job: jobName(wanted.migration, wanted.command),
    into: writableTo(context.output),
    signal: context.signal,
    told: (text) => context.output.note(text),
  });
}

const writableTo = (output: Output): Writable =>
  new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      output.beforeWriting();
      output.stdout.write(chunk.toString('utf8'));
      done();
    },
  });

/** The environment stays out: it is this machine's, and may hold passwords. */
function readWanted({ global, env, cwd }: CommandContext, options: OptionValues): Wanted {
  const flags = { ...global, config: global.config ?? (env.PGGLIDE_CONFIG || undefined) };
  const { config, content } = readConfig({ flags, env: {}, cwd });
  const text = (key: string) => (options[key] === undefined ? undefined : String(options[key]));
  const { migration, kubernetes } = config;
  if (migration === undefined) {
    throw new UsageError('migration_unnamed', 'The migration has no name', {
      hint: 'Its objects in the cluster are called by it: set migration in pgglide.yaml, or give --migration.',
    });
  }
  const command = (text('run') ?? 'sync') as JobCommand;
  const image = text('image') ?? `pgglide:${ownVersion()}`;
  const withDashboard = options.withDashboard === true;
  const rights = [...jobRights(migration), ...switchRights(config, migration)];
  return {
    migration,
    command,
    dashboard: withDashboard ? dashboardName(migration) : undefined,
    choice: {
      kubeconfig: text('kubeconfig') ?? kubernetes.kubeconfig,
      context: text('context') ?? kubernetes.context,
      namespace: text('namespace') ?? kubernetes.namespace,
    },
    rights,
    render: (namespace, version) => {
      refuseElsewhere(config, namespace);
      return renderManifests({
        migration,
        namespace,
        command,
        config,
        image,
        features: clusterFeatures(version),
        configText: configMapText(content, config.traffic.driver === 'kubernetes' ? image : undefined),
        rights,
        withDashboard,
      });
    },
  };
}

/** With our proxies put in and taken out by the tool itself, its service account does it. */
function switchRights({ traffic }: Config, migration: string): AccessRight[] {
  const application = traffic.driver === 'kubernetes' ? kubernetesApplication(traffic.kubernetes) : undefined;
  if (application === undefined) return [];
  const why = 'to put the proxies in front of the application, and to take them out';
  return trafficRights(application, migration).map((right) => ({ ...right, why }));
}

function refuseElsewhere({ traffic, kubernetes }: Config, namespace: string): void {
  if (traffic.driver !== 'kubernetes' || kubernetes.namespace === undefined) return;
  if (kubernetes.namespace === namespace) return;
  throw new UsageError(
    'bad_usage',
    `The application is in namespace "${kubernetes.namespace}", the Job is not`,
    {
      hint: 'Proxies, Job and application share one namespace: leave --namespace out, or name that one.',
    },
  );
}

async function apply({ output }: CommandContext, cluster: Cluster, wanted: Wanted): Promise<number> {
  const objects = wanted.render(cluster.namespace, await cluster.version());
  await applyManifests(cluster, objects, (text) => output.note(`applied ${text}`));
  const { migration, command, dashboard } = wanted;
  const job = jobName(migration, command);
  output.result(
    {
      namespace: cluster.namespace,
      job,
      objects: objects.map(({ kind, metadata: { name } }) => ({ kind, name })),
    },
    () =>
      [
        `Job ${cluster.namespace}/${job} runs pgglide ${command}. Follow it: pgglide k8s logs`,
        ...(dashboard === undefined
          ? []
          : [`Dashboard: kubectl -n ${cluster.namespace} port-forward service/${dashboard} 8433`]),
      ].join('\n'),
  );
  return 0;
}

/** @throws {PrerequisiteError} `cluster_forbidden` naming what the service account lacks */
async function showRights({ output }: CommandContext, cluster: Cluster, wanted: Wanted): Promise<number> {
  const { forbidden } = await import('../kubernetes/api-failure.ts');
  const { migration, rights } = wanted;
  const account = `system:serviceaccount:${cluster.namespace}:${objectName(migration)}`;
  const checked = await Promise.all(
    rights.map(async (right) => ({ ...right, allowed: await cluster.may(right, { user: account }) })),
  );
  const rules = accessRules(rights);
  output.result({ account, rights: checked, rules }, (style) => {
    const paint = painter(style);
    const role = wanted.render(cluster.namespace, MODERN).filter(({ kind }) => kind === 'Role');
    return `${toYaml(role)}\n# ${account}\n${rightsText(checked, (ok) => (ok ? paint.ok : paint.failed))}`;
  });
  const missing = checked.filter(({ allowed }) => !allowed);
  if (missing.length > 0) throw forbidden(missing, cluster.namespace);
  return 0;
}
