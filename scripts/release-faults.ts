/** What speaks against publishing. Pure. */

export interface ReleaseFiles {
  readonly changelog: string;
  readonly packageJson: { readonly version: string };
  readonly lockJson: {
    readonly version: string;
    readonly packages: Readonly<Record<string, { readonly version?: string }>>;
  };
}

const VERSION = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;

export function releaseFaults({ changelog, packageJson, lockJson }: ReleaseFiles): readonly string[] {
  const { version } = packageJson;
  const faults: string[] = [];
  if (!VERSION.test(version)) faults.push(`package.json: "${version}" is no version`);
  if (lockJson.version !== version || lockJson.packages['']?.version !== version) {
    faults.push(
      `package-lock.json is of version ${lockJson.version}, package.json of ${version}: npm install`,
    );
  }
  return [...faults, ...changelogFaults(changelog, version)];
}

function changelogFaults(changelog: string, version: string): string[] {
  const headings = [...changelog.matchAll(/^## (.+)$/gm)].map((match) => (match[1] ?? '').trim());
  const [first, second] = headings;
  if (first !== 'Unreleased') return ['CHANGELOG.md does not begin with "## Unreleased"'];
  // "## 0.2.0 (2026-11-30)": the newest release is the one that package.json names, or the one to come.
  const released = headings.slice(1).map((heading) => heading.split(' ')[0] ?? '');
  const faults: string[] = [];
  if (released.length > 0 && !released.includes(version) && compare(version, released[0] ?? '') < 0) {
    faults.push(`package.json is of version ${version}, the changelog already of ${second}`);
  }
  if (new Set(released).size !== released.length) faults.push('CHANGELOG.md has a version twice');
  if (sectionOf(changelog, 'Unreleased') === '' && !released.includes(version)) {
    faults.push(`CHANGELOG.md says nothing about ${version}`);
  }
  return faults;
}

function sectionOf(changelog: string, heading: string): string {
  const from = changelog.indexOf(`## ${heading}`) + `## ${heading}`.length;
  const to = changelog.indexOf('\n## ', from);
  return changelog.slice(from, to < 0 ? undefined : to).trim();
}

/** Numbers only: pre-releases of one version count as equal. */
function compare(a: string, b: string): number {
  const numbers = (text: string) => (text.split('-')[0] ?? '').split('.').map(Number);
  const [left, right] = [numbers(a), numbers(b)];
  const index = left.findIndex((part, position) => part !== right[position]);
  return index < 0 ? 0 : (left[index] ?? 0) - (right[index] ?? 0);
}
