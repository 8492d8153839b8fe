/** Server-sent events out of a body that comes in pieces. EventSource cannot send a token. */

/** Pieces of text in, whole messages out; what is unfinished waits for the next piece. */
export function createParser() {
  let rest = '';
  return (piece) => {
    const blocks = (rest + piece).replaceAll('\r\n', '\n').split('\n\n');
    rest = blocks.pop() ?? '';
    return blocks.map(readBlock).filter(({ data }) => data !== '');
  };
}

function readBlock(block) {
  const message = { event: 'message', id: undefined, data: '' };
  const data = [];
  for (const line of block.split('\n')) {
    const [, name, value] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
    if (name === 'data') data.push(value);
    else if (name === 'event' || name === 'id') message[name] = value;
  }
  return { ...message, data: data.join('\n') };
}
