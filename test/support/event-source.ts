/** The page's own reader of the stream, for tests that read it without a page. */

export interface Message {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: string;
}

const url = new URL('../../assets/dashboard/sse.js', import.meta.url);
const page = (await import(url.href)) as { createParser(): (piece: string) => Message[] };

export const createParser = (): ((piece: string) => Message[]) => page.createParser();
