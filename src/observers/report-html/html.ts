/** HTML in which only what this program wrote is markup: every value that is put in is text. Pure. */

import { printable } from '../printable.ts';

export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type HtmlValue = Html | string | number | readonly Html[];

export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new Html(strings.reduce((text, part, index) => text + markup(values[index - 1] ?? '') + part));
}

export const NOTHING = new Html('');

function markup(value: HtmlValue): string {
  if (value instanceof Html) return value.text;
  if (typeof value === 'string' || typeof value === 'number') return escapeHtml(printable(String(value)));
  return value.map(({ text }) => text).join('');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

/** Good between tags and inside a quoted attribute. */
const escapeHtml = (text: string): string => text.replace(/[&<>"'`]/g, (found) => ENTITIES[found] ?? '');
