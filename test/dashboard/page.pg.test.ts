/** The page in a real browser, through a small migration. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { inBrowser, withPage } from '../support/browser.ts';
import { openDashboard } from '../support/dashboard.ts';
import { withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

const TOKEN = 'f00d'.repeat(16);
const PATIENCE = { timeout: 30_000 };

const says = (page: Page, selector: string, text: RegExp) =>
  expect.poll(() => page.textContent(selector), PATIENCE).toMatch(text);

inBrowser('the page', () => {
  test('shows a migration from nothing to the switch, and survives the dashboard', {
    timeout: 180_000,
  }, async ({ source, target }) => {
    await source.exec(`CREATE TABLE public."<img src=x onerror=alert(1)>" (id int PRIMARY KEY);
      CREATE TABLE public.orders (id int PRIMARY KEY); INSERT INTO public.orders SELECT generate_series(1, 500)`);
    const folder = await mkdtemp(join(tmpdir(), 'pgglide-test-'));
    const tokenFile = join(folder, 'token');
    await writeFile(tokenFile, TOKEN, { mode: 0o600 });
    try {
      await withScene({ source, target }, async (scene) => {
        const first = await openDashboard(scene, { tokenFile });
        await withPage(async (page, complaints) => {
          await page.goto(`${first.url}#t=${TOKEN}`);
          // It leaves the address at once.
          expect(page.url()).toBe(first.url);
          await says(page, '#sentence', /Nothing has begun yet/);

          await scene.sync();
          await says(page, '#sentence', /^Following/);
          await says(page, '#stages [aria-current]', /Follow/);
          await says(page, '#tables', /<img src=x onerror=alert\(1\)>/);
          expect(await page.locator('#tables img').count()).toBe(0);
          expect(await page.getAttribute('#arrow', 'data-to')).toBe('target');
          await says(page, '#events', /following/);

          await page.fill('#filter', 'orders');
          await expect.poll(() => page.locator('#tables tr').count(), PATIENCE).toBe(1);

          await scene.cutover();
          await expect.poll(() => page.getAttribute('#arrow', 'data-to'), PATIENCE).toBe('source');
          await expect.poll(() => page.title(), PATIENCE).toContain('TARGET serving');
          await says(page, '#last-switch', /cutover at/);

          await first[Symbol.asyncDispose]();
          await says(page, '#banner', /has said nothing/);
          expect(await page.getAttribute('body', 'class')).toContain('stale');

          const { host } = new URL(first.url);
          await using _ = await openDashboard(scene, { tokenFile, listen: host });
          await expect.poll(() => page.isHidden('#banner'), PATIENCE).toBe(true);
          await scene.rollback();
          await expect.poll(() => page.getAttribute('#arrow', 'data-to'), PATIENCE).toBe('target');
          expect(complaints).toEqual([]);
        });
        await first[Symbol.asyncDispose]();
        await scene.abort();
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('asks for the token where it has none, and is one column on a narrow screen', async ({
    source,
    target,
  }) => {
    await withScene({ source, target }, async (scene) => {
      await using dashboard = await openDashboard(scene);
      await withPage(async (page) => {
        await page.setViewportSize({ width: 420, height: 800 });
        await page.goto(dashboard.url);
        await page.fill('#token', dashboard.token, PATIENCE);
        // With the keyboard alone.
        await page.keyboard.press('Enter');
        await says(page, '#sentence', /Nothing has begun yet/);
        const widths = await page.evaluate('[document.documentElement.scrollWidth, innerWidth]');
        expect(widths).toEqual([420, 420]);
        await page.click('#theme');
        expect(await page.getAttribute('html', 'data-theme')).toBe('dark');
      });
    });
  });
});
