/** Elements made of text and attributes only: names come from databases, and none of them is ever read as HTML. */

export const byId = (id) => document.getElementById(id);

/** `children`: texts and nodes. Undefined attributes are left out. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** Touches the page only when something has changed, so that a live region speaks once. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** The same for a list: `key` says when it is still the same. */
export function setChildren(node, key, make) {
  if (node.dataset.key === key) return;
  node.dataset.key = key;
  node.replaceChildren(...make());
}
