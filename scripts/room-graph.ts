/** Which room imports which, as a Mermaid graph for ARCHITECTURE.md. Pure. */

export interface ModuleImports {
  /** "src/copy/parts.ts" */
  readonly source: string;
  readonly dependencies: readonly { readonly resolved: string }[];
}

/** The room of a path; undefined for what is outside src, for tests, and for src/index.ts. */
function roomOf(path: string): string | undefined {
  if (path.includes('.test.ts')) return undefined;
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

/** Edges that a longer way implies are left out, so that the floors can be seen. */
export function roomGraph(modules: readonly ModuleImports[]): string {
  const imports = new Map<string, Set<string>>();
  for (const { source, dependencies } of modules) {
    const from = roomOf(source);
    if (from === undefined) continue;
    const rooms = imports.get(from) ?? new Set();
    imports.set(from, rooms);
    for (const { resolved } of dependencies) {
      const to = roomOf(resolved);
      if (to !== undefined && to !== from) rooms.add(to);
    }
  }
  const edges = [...imports].flatMap(([from, rooms]) =>
    [...rooms].filter((to) => !isImplied(imports, from, to)).map((to) => `  ${from} --> ${to}`),
  );
  return ['```mermaid', 'graph TD', ...edges.sort(), '```'].join('\n');
}

/** Whether `to` is reached from another room that `from` imports. */
function isImplied(imports: ReadonlyMap<string, ReadonlySet<string>>, from: string, to: string): boolean {
  const seen = new Set([from]);
  const queue = [...(imports.get(from) ?? [])].filter((room) => room !== to);
  for (let room = queue.pop(); room !== undefined; room = queue.pop()) {
    if (room === to) return true;
    if (seen.has(room)) continue;
    seen.add(room);
    queue.push(...(imports.get(room) ?? []));
  }
  return false;
}
