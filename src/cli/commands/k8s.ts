import { JOB_COMMANDS } from '../../kubernetes/manifests/render-job.ts';
import type { CommandDefinition } from '../command.ts';

export const k8s: CommandDefinition = {
  name: 'k8s',
  group: 'Also',
  summary: 'render|apply|rbac|logs: pgglide as a Job in a Kubernetes cluster',
  description:
    'render prints the manifests of a Job that runs a command in a cluster, with its ConfigMap, service account and least Role; Secrets are only referred to. apply brings them into the cluster by server-side apply; a Job that has ended is replaced, one that runs stays. rbac prints the rights, and asks the cluster whether the service account has them. logs follows the Job’s pods to its end, and ends with the exit code of the command in it. docs/kubernetes.md is the page about it.',
  arguments: [{ name: '<action>', description: 'what to do', choices: ['render', 'apply', 'rbac', 'logs'] }],
  options: [
    { flags: '-n, --namespace <name>', description: 'where the Job runs (kubernetes.namespace)' },
    { flags: '--context <name>', description: 'of the kubeconfig (kubernetes.context)' },
    { flags: '--kubeconfig <file>', description: 'which cluster (kubernetes.kubeconfig)' },
    { flags: '--run <command>', description: 'what the Job runs (sync)', choices: [...JOB_COMMANDS] },
    {
      flags: '--with-dashboard',
      description: 'render, apply: the live page too, as a Deployment with a Service',
    },
    { flags: '--image <image>', description: 'the container image (pgglide:VERSION)' },
    {
      flags: '--kubernetes <version>',
      description: 'render: for this version, 1.20 or newer; apply asks the cluster',
    },
  ],
  exitCodes: {
    3: 'the cluster refuses: the message names the missing right, or what is not there',
    4: 'the cluster cannot be reached',
    7: 'apply: a Job of the same command runs already',
  },
  async run(context, options, [action = '']) {
    const { runK8s } = await import('../run-k8s.ts');
    return await runK8s(context, options, action);
  },
};
