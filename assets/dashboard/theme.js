/** Light or dark: as the system has it, until the reader chooses. */

const KEY = 'pgglide-theme';
const prefersDark = matchMedia('(prefers-color-scheme: dark)');

const current = () => localStorage.getItem(KEY) ?? (prefersDark.matches ? 'dark' : 'light');

function show(button) {
  document.documentElement.dataset.theme = current();
  button.textContent = current() === 'dark' ? 'Light' : 'Dark';
  button.setAttribute('aria-label', `Switch to ${current() === 'dark' ? 'light' : 'dark'} colours`);
}

export function startTheme(button) {
  show(button);
  prefersDark.addEventListener('change', () => show(button));
  button.addEventListener('click', () => {
    localStorage.setItem(KEY, current() === 'dark' ? 'light' : 'dark');
    show(button);
  });
}
