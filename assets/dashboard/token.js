/** The token: out of the address it came in, then in this tab only. */

const KEY = 'pgglide-token';

/** It leaves the address at once, so that it stays in no history and is copied with no link. */
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get('t');
  if (given) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, '', location.pathname);
  }
  return sessionStorage.getItem(KEY) ?? '';
}

export const keepToken = (token) => sessionStorage.setItem(KEY, token);
