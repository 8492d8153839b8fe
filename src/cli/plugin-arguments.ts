/** What of `kubectl pgglide`'s arguments is kubectl's, and what is pgglide's. Pure. */

export interface PluginArguments {
  /** --namespace, --context, --kubeconfig. */
  readonly kubectl: readonly string[];
  readonly migration: string | undefined;
  /** What runs in the pod. */
  readonly command: readonly string[];
  /** Runs here: it talks to the cluster itself, or to nobody. */
  readonly isLocal: boolean;
}

const KUBECTL_FLAGS: Readonly<Record<string, string>> = {
  '-n': '--namespace',
  '--namespace': '--namespace',
  '--context': '--context',
  '--kubeconfig': '--kubeconfig',
};
const MIGRATION_FLAGS = ['-m', '--migration'];
const LOCAL = ['k8s', 'init', 'explain', 'completion', 'version', 'demo', 'lab'];

export function pluginArguments(argv: readonly string[]): PluginArguments {
  const kubectl: string[] = [];
  const command: string[] = [];
  let migration: string | undefined;
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? '';
    const [flag = '', inline] = word.startsWith('--') ? splitAtEquals(word) : [word];
    const isMigration = MIGRATION_FLAGS.includes(flag);
    const known = KUBECTL_FLAGS[flag];
    if (known === undefined && !isMigration) {
      command.push(word);
      continue;
    }
    const value = inline ?? argv[++at] ?? '';
    if (isMigration) migration = value;
    else kubectl.push(`${known}=${value}`);
  }
  const [first] = command;
  const isLocal =
    first === undefined || LOCAL.includes(first) || ['-h', '--help', '--version'].includes(first);
  return { kubectl, migration, command, isLocal };
}

/** For a command that runs here: kubectl's flags may stand before it, and pgglide takes them behind it. */
export const localArguments = ({ command, kubectl, migration }: PluginArguments): string[] => [
  ...command,
  ...kubectl,
  ...(migration === undefined ? [] : [`--migration=${migration}`]),
];

function splitAtEquals(word: string): [string, string | undefined] {
  const at = word.indexOf('=');
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}
