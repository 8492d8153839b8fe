/** What somebody may do in a namespace, and the line of a Role that lets them. Pure. */

export interface Right {
  readonly verb: string;
  /** "" is the core group. */
  readonly group: string;
  /** Plural, with its subresource: "deployments", "pods/portforward". */
  readonly resource: string;
}

/** `verb resource.group`, as kubectl auth can-i takes it. */
export const describeRight = ({ verb, group, resource }: Right): string =>
  `${verb} ${resource}${group === '' ? '' : `.${group}`}`;

export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** As a Role has them: one rule a resource. */
export function policyRules(rights: readonly Right[]): PolicyRule[] {
  const byResource = new Map<string, { group: string; resource: string; verbs: Set<string> }>();
  for (const { verb, group, resource } of rights) {
    const key = `${group}/${resource}`;
    const rule = byResource.get(key) ?? { group, resource, verbs: new Set() };
    byResource.set(key, rule);
    rule.verbs.add(verb);
  }
  return [...byResource.values()].map(({ group, resource, verbs }) => ({
    apiGroups: [group],
    resources: [resource],
    verbs: [...verbs],
  }));
}

/** For a hint: the rule as a line of YAML. */
export const ruleLine = (rule: PolicyRule): string =>
  `- { apiGroups: ${JSON.stringify(rule.apiGroups)}, resources: ${JSON.stringify(rule.resources)}, verbs: ${JSON.stringify(rule.verbs)} }`;
