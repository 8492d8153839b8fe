/** docs/checks.md, from the rules themselves. */

import { rules } from './preflight.ts';

const TOPICS: readonly (readonly [from: string, topic: string])[] = [
  ['PGG101', 'Servers and settings'],
  ['PGG120', 'Capacity'],
  ['PGG130', 'Tables and schema'],
  ['PGG151', 'What runs now'],
  ['PGG160', 'Objects that do not simply move'],
  ['PGG170', 'Roles and privileges'],
  ['PGG180', 'The target'],
  ['PGG190', 'The scratch load'],
  ['PGG193', 'The links'],
  ['PGG201', 'Traffic'],
];

const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, ' ');

export function checksMarkdown(): string {
  const lines = [
    '# What `pgglide check` looks at',
    '',
    '<!-- Generated from src/domain/preflight: change it there, then run npm run docs. -->',
    '',
    '`check` leaves nothing behind: beside reading it makes a scratch database and, rolled back, a subscription. A **blocker** stops `sync` (exit 3), a **warning** does not (unless `--strict`), a **note** is good to know.',
    'Each finding prints the SQL that mends it, one statement a line. `pgglide explain PGG131` shows one of these texts.',
    'The ids do not change.',
  ];
  for (const rule of rules) {
    const topic = TOPICS.find(([from]) => from === rule.id);
    if (topic !== undefined) lines.push('', `## ${topic[1]}`);
    lines.push('', `### ${rule.id}: ${rule.title}`, '', `*${rule.severity}* ${oneLine(rule.background)}`);
  }
  return `${lines.join('\n')}\n`;
}
