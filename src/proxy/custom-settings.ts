/** Names of the settings with a dot that a session was seen to set: pg_settings does not list them. */

const SET_STATEMENT =
  /\bset\s+(?:session\s+)?((?:"[^"]+"|[a-z_][\w$]*)(?:\.(?:"[^"]+"|[a-z_][\w$]*))+)\s*(?:=|to\b)/gi;
const SET_CONFIG = /\bset_config\s*\(\s*'([^']+\.[^']+)'/gi;
const SET_CONFIG_CALL = Buffer.from('set_config');
const MAX_NAMES = 256;
/** Texts longer than this carry data, not settings. */
const MAX_TEXT_BYTES = 8192;

export class CustomSettings {
  readonly names = new Set<string>();

  /** Looks at a query text: `bytes` from `start` to `end`. Cheap for texts that set nothing. */
  look(bytes: Buffer, start: number, end: number): void {
    if (!maySet(bytes, start)) return;
    const text = bytes.toString('latin1', start, Math.min(end, start + MAX_TEXT_BYTES));
    for (const expression of [SET_STATEMENT, SET_CONFIG]) {
      for (const [, name] of text.matchAll(expression)) {
        if (name !== undefined && this.names.size < MAX_NAMES)
          this.names.add(name.replaceAll('"', '').toLowerCase());
      }
    }
  }
}

const lower = (byte: number | undefined): number => (byte ?? 0) | 0x20;

/** By the first letters: data-changing statements set nothing, SELECT only by calling set_config. */
function maySet(bytes: Buffer, start: number): boolean {
  const first = lower(bytes[start]);
  if (first === 0x69 || first === 0x75 || first === 0x64) return false; // insert, update, delete
  if (first === 0x73 && lower(bytes[start + 1]) === 0x65 && lower(bytes[start + 2]) === 0x6c) {
    return bytes.indexOf(SET_CONFIG_CALL, start) >= 0;
  }
  return true;
}
