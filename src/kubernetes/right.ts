/** What somebody may do in a namespace, and the line of a Role that lets them. Pure. */

export interface Right {
  readonly verb: string;
  /** "" is the core group. */
  readonly group: string;
  /** Plural, with its subresource: "deployments", "pods/portforward". */
  readonly resource: string;
  /** Only of these objects; undefined: of all. Creating and listing cannot be bound to a name. */
  readonly names?: readonly string[];
}

/** `verb resource.group/name`, as kubectl auth can-i takes it. */
export const describeRight = ({ verb, group, resource, names }: Right): string =>
  `${verb} ${resource}${group === '' ? '' : `.${group}`}${names === undefined ? '' : `/${names.join(',')}`}`;

export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** As a Role has them: one rule for a resource and the names that bind it. */
export function policyRules(rights: readonly Right[]): PolicyRule[] {
  const byResource = new Map<string, Omit<Right, 'verb'> & { readonly verbs: Set<string> }>();
  for (const { verb, group, resource, names } of rights) {
    const key = `${group}/${resource}/${(names ?? []).join()}`;
    const rule = byResource.get(key) ?? { group, resource, ...(names ? { names } : {}), verbs: new Set() };
    byResource.set(key, rule);
    rule.verbs.add(verb);
  }
  return [...byResource.values()].map(({ group, resource, names, verbs }) => ({
    apiGroups: [group],
    resources: [resource],
    verbs: [...verbs],
    ...(names === undefined ? {} : { resourceNames: names }),
  }));
}

/** For a hint: the rule as a line of YAML. */
export const ruleLine = (rule: PolicyRule): string =>
  `- { apiGroups: ${JSON.stringify(rule.apiGroups)}, resources: ${JSON.stringify(rule.resources)}, verbs: ${JSON.stringify(rule.verbs)}${rule.resourceNames === undefined ? '' : `, resourceNames: ${JSON.stringify(rule.resourceNames)}`} }`;
