/** One metric in Prometheus' text format. @see https://prometheus.io/docs/instrumenting/exposition_formats/ Pure. */

/** @param samples labels as they are written, `{side="source"}` or nothing, to the value; undefined: not known now, left out */
export function metricText(
  name: string,
  type: 'gauge' | 'counter',
  help: string,
  samples: Readonly<Record<string, number | undefined>>,
): string {
  const lines = Object.entries(samples).flatMap(([labels, value]) =>
    value === undefined ? [] : [`${name}${labels} ${value}`],
  );
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines].join('\n');
}
