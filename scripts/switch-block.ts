/** The switch's steps in their order, for ARCHITECTURE.md. Pure. */

interface Named {
  readonly id: string;
}
type Group = Named | readonly Named[];

interface Part {
  readonly title: string;
  readonly steps: readonly Group[];
}

const WIDTH = 118;

/** Steps in brackets run at once. */
export const switchBlock = (parts: readonly Part[]): string =>
  ['```', ...parts.flatMap(({ title, steps }) => [`${title}:`, ...wrapped(steps.map(nameOf))]), '```'].join(
    '\n',
  );

const nameOf = (group: Group): string =>
  'id' in group ? group.id : `[${group.map(({ id }) => id).join(' | ')}]`;

function wrapped(names: readonly string[]): string[] {
  const lines: string[] = [];
  for (const [place, name] of names.entries()) {
    const item = place === 0 ? name : `> ${name}`;
    const line = lines.at(-1);
    if (line !== undefined && line.length + item.length < WIDTH) lines[lines.length - 1] = `${line} ${item}`;
    else lines.push(`  ${item}`);
  }
  return lines;
}
