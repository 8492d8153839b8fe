/** How the page looks: on a screen, light or dark, wide or narrow, and on A4. */

export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f3f5f8; --card: #ffffff; --edge: #d5dbe3; --text: #1b2430; --soft: #525e6e;
  --blue: #1f5fbf; --green: #1b7038; --red: #b3261e; --wash: #e9edf3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #11151b; --card: #1a2029; --edge: #303947; --text: #e4e9f0; --soft: #a3afbf;
    --blue: #78abff; --green: #5fcf86; --red: #ff8f86; --wash: #232c39;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums;
}
main { max-width: 1040px; margin: 0 auto; padding: 24px 16px 40px; }
header { margin: 0 0 16px; }
h1, h2, h3, p { margin: 0; }
h1 { font-size: 28px; line-height: 1.2; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 0 0 12px; }
h3 { font-size: 15px; margin: 0 0 10px; }
.brand { color: var(--soft); }
.outcome { margin-top: 6px; font-size: 20px; font-weight: 600; }
small { font-size: 13px; font-weight: 400; color: var(--soft); overflow-wrap: anywhere; }
code { font: 0.92em ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
section { background: var(--card); border: 1px solid var(--edge); border-radius: 8px; padding: 16px; margin: 0 0 16px; }
article { margin-top: 24px; padding-top: 16px; border-top: 1px solid var(--edge); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 12px 20px; margin: 0; }
article .figures { margin-bottom: 14px; }
dt { font-size: 13px; color: var(--soft); }
dd { margin: 0; font-size: 18px; font-weight: 600; overflow-wrap: anywhere; }
dd small { display: block; }
article dd { font-size: 15px; }
.scroll { overflow-x: auto; }
.scroll:focus-visible { outline: 2px solid var(--blue); outline-offset: 2px; }
.scroll + .scroll { margin-top: 18px; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; font-weight: 600; padding: 0 0 6px; }
th, td { text-align: left; vertical-align: top; padding: 5px 14px 5px 0; border-top: 1px solid var(--edge); }
th:last-child, td:last-child { padding-right: 0; }
thead th { border-top: 0; font-size: 13px; font-weight: 600; color: var(--soft); vertical-align: bottom; }
tbody th { font-weight: 400; min-width: 10em; overflow-wrap: anywhere; }
td code { white-space: nowrap; }
.number { text-align: right; white-space: nowrap; }
time { white-space: nowrap; }
dd time, h3 time { white-space: normal; }
.span { font-size: 13px; font-weight: 600; color: var(--soft); background: var(--wash); padding-left: 8px; }
.good { color: var(--green); white-space: nowrap; }
.bad { color: var(--red); font-weight: 600; white-space: nowrap; }
.note { color: var(--soft); font-size: 13px; margin-top: 8px; }
.bar { display: block; width: 100%; min-width: 140px; height: 10px; margin-top: 6px; }
.bar rect { fill: var(--blue); }
.bar .track { fill: var(--wash); }
footer { color: var(--soft); font-size: 13px; }
@media (max-width: 600px) {
  main { padding: 16px 8px 24px; }
  section { padding: 12px; }
  .figures { grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 10px 14px; }
  th, td { padding-right: 10px; }
  tbody th { min-width: 8em; }
  td:last-child:not(.number) { min-width: 9em; }
  .bar { min-width: 90px; }
}
@page { size: A4; margin: 14mm 12mm; }
@media print {
  :root {
    color-scheme: light;
    --page: #ffffff; --card: #ffffff; --edge: #b9c1cc; --text: #000000; --soft: #444c57;
    --blue: #1f5fbf; --green: #145a2c; --red: #9c1d16; --wash: #e4e8ee;
  }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  section { border: 0; border-radius: 0; padding: 0; margin: 0 0 7mm; }
  h1 { font-size: 20pt; }
  h2 { font-size: 13pt; border-bottom: 1px solid var(--edge); padding-bottom: 1mm; }
  h2, h3, caption { break-after: avoid; }
  tr, .figures > div { break-inside: avoid; }
  .scroll { overflow: visible; }
  tbody th { min-width: 0; }
  td code { white-space: normal; }
  small, dt, thead th, .note, .span, footer { font-size: 8.5pt; }
  dd { font-size: 11pt; }
  td, th { padding-top: 1mm; padding-bottom: 1mm; }
  .bar, .span { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
