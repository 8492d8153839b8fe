/** deploy/kustomize/base/pgglide.yaml: what `pgglide k8s render` prints for an example. Pure. */

import { parse } from 'yaml';
import { checkConfig } from '../src/config/check-config.ts';
import { clusterFeatures, MODERN } from '../src/kubernetes/manifests/cluster-features.ts';
import { renderManifests } from '../src/kubernetes/manifests/render.ts';
import { jobRights } from '../src/kubernetes/manifests/render-access.ts';
import { toYaml } from '../src/kubernetes/manifests/to-yaml.ts';

const MIGRATION = 'shop';
const EXAMPLE = `migration: ${MIGRATION}
source:
  uri: postgresql://pgglide@pg15:5432/shop
  passwordFrom: { secretKeyRef: { name: pg15-login, key: password } }
target:
  uri: postgresql://pgglide@pg16:5432/shop
  passwordFrom: { secretKeyRef: { name: pg16-login, key: password } }
`;

export function kustomizeBase(version: string): string {
  const objects = renderManifests({
    migration: MIGRATION,
    namespace: 'default',
    image: `pgglide:${version}`,
    command: 'sync',
    features: clusterFeatures(MODERN),
    config: checkConfig(parse(EXAMPLE) as Record<string, unknown>, () => 'the example'),
    configText: EXAMPLE,
    rights: jobRights(MIGRATION),
  });
  return `# Made by \`npm run docs\`. Your own: pgglide k8s render\n${toYaml(objects)}`;
}
