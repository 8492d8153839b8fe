import { parseArgs } from 'node:util';

export interface DemoOptions {
  readonly rows: number;
  /** Requests per second. */
  readonly rate: number;
  /** Major versions. */
  readonly from: number;
  readonly to: number;
  readonly jsonFile: string | undefined;
  readonly keep: boolean;
}

/** @throws {TypeError} an unknown flag or a value that is no number */
export function parseOptions(args: readonly string[]): DemoOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rows: { type: 'string', default: '400000' },
      rate: { type: 'string', default: '500' },
      from: { type: 'string', default: '15' },
      to: { type: 'string', default: '16' },
      json: { type: 'string' },
      keep: { type: 'boolean', default: false },
    },
  });
  const options = {
    rows: whole('--rows', values.rows, 100, 1_000_000_000),
    rate: whole('--rate', values.rate, 1, 10_000),
    from: whole('--from', values.from, 13, 18),
    to: whole('--to', values.to, 13, 18),
    jsonFile: values.json,
    keep: values.keep,
  };
  if (options.to < options.from) throw new TypeError('--to must not be older than --from');
  return options;
}

function whole(flag: string, text: string, least: number, most: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= least && number <= most) return number;
  throw new TypeError(`${flag} takes a whole number from ${least} to ${most}, not "${text}"`);
}
