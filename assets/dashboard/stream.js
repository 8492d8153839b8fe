/** The stream of the dashboard's messages, for as long as the page is open: it comes back by itself. */

import { createParser } from './sse.js';

const RETRY_MS = 1000;
/** There is a message every second: after this silence the connection is given up for a new one. */
const SILENCE_MS = 5000;

/** `onMessage(event, data)` for each; `askForToken()` resolves to another token when this one is refused. */
export async function readStream({ token, onMessage, askForToken }) {
  let known = token;
  let lastEventId = '0';
  for (;;) {
    try {
      const refused = await readOnce(known, lastEventId, ({ event, id, data }) => {
        if (id !== undefined) lastEventId = id;
        if (event === 'anew') lastEventId = '0';
        onMessage(event, JSON.parse(data));
      });
      if (refused) known = await askForToken();
    } catch {
      // The dashboard is away, or was silent: once more in a moment.
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** Until the stream ends; true when the token was refused. */
async function readOnce(token, lastEventId, onMessage) {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  try {
    const headers = { authorization: `Bearer ${token}`, 'last-event-id': lastEventId };
    const response = await fetch('/api/events', { headers, cache: 'no-store', signal: silence.signal });
    if (response.status === 401) return true;
    const parse = createParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return false;
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      for (const message of parse(value)) onMessage(message);
    }
  } finally {
    clearTimeout(timer);
  }
}
