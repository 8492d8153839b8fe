/**
 * The report as one HTML file that needs nothing else: no network, no script, no font. Pure.
 *
 * Its policy lets a browser apply the one style sheet inside and load or run nothing at all, whatever a name in it may say.
 */

import { createHash } from 'node:crypto';
import type { ReportData } from '../report.ts';
import { evidence } from './evidence.ts';
import { Html, html } from './html.ts';
import { foot, head, lists, overview, servers, wayBack } from './overview.ts';
import { STYLE } from './style.ts';
import { aborted, switchovers } from './switchovers.ts';

export function reportHtml(report: ReportData): string {
  const hash = createHash('sha256').update(STYLE).digest('base64');
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${report.migration}: ${report.outcome} (pgglide)</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
${head(report)}${overview(report)}${servers(report)}${wayBack(report)}${switchovers(report)}${aborted(report)}${evidence(report)}${lists(report)}${foot(report)}</main>
</body>
</html>
`.text;
}
