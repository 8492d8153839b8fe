/** Debian's chromium for a test, with a profile of its own; without one its tests are skipped. */

import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { describe } from 'vitest';

const CHROMIUM = '/usr/bin/chromium';
const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const inBrowser = (name: string, work: () => void): void =>
  void (existsSync(CHROMIUM) ? describe(name, work) : describe.skip(`${name} (no ${CHROMIUM})`, work));

/** What the page complains about is the second argument: errors, and what its policy refused. */
export async function withPage(use: (page: Page, complaints: string[]) => Promise<void>): Promise<void> {
  const profile = await mkdtemp(join(tmpdir(), 'pgglide-browser-'));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    args: ARGUMENTS,
    viewport: { width: 1280, height: 900 },
  });
  try {
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('dialog', (dialog) => void dialog.dismiss().then(() => complaints.push('a dialog')));
    page.on('console', (message) => {
      if (/Content Security Policy/.test(message.text())) complaints.push(message.text());
    });
    await use(page, complaints);
  } finally {
    await browser.close();
    await rm(profile, { recursive: true, force: true });
  }
}
