/** The report of a real migration in a real browser: as a file, with nothing beside it. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'vitest';
import { reportHtml } from '../../src/observers/report-html/page.ts';
import { inBrowser, withPage } from '../support/browser.ts';
import { withScene } from '../support/migration.ts';
import { test } from '../support/pair.ts';

/** A4 in PostScript points. */
const A4 = /MediaBox\s*\[\s*0 0 59[45](\.\d+)? 84[12](\.\d+)?\s*\]/;

inBrowser('the report', () => {
  test('is one page that loads nothing, runs nothing, and fits', { timeout: 180_000 }, async ({
    source,
    target,
  }) => {
    await source.exec(`CREATE TABLE public."<script>alert(1)</script>" (id int PRIMARY KEY);
      CREATE TABLE public."<img src=x onerror=alert(1)>" (id int PRIMARY KEY);
      CREATE TABLE public.orders (id int PRIMARY KEY); INSERT INTO public.orders SELECT generate_series(1, 500)`);
    const folder = await mkdtemp(join(tmpdir(), 'pgglide-test-'));
    const file = join(folder, 'report.html');
    try {
      await withScene({ source, target }, async (scene) => {
        await scene.sync();
        await scene.verify();
        await scene.cutover();
        const report = reportHtml(await scene.run((migration) => migration.report()));
        expect(report).not.toContain(source.address.password);
        await writeFile(file, report);
        await scene.rollback();
        await scene.abort();
      });
      await withPage(async (page, complaints) => {
        const asked: string[] = [];
        page.on('request', (request) => asked.push(request.url()));
        const address = pathToFileURL(file).href;
        await page.goto(address);
        expect(await page.locator('h1').count()).toBe(1);
        expect(await page.textContent('.outcome')).toContain('Success');
        expect(await page.textContent('[aria-labelledby=evidence]')).toContain('<script>alert(1)</script>');
        expect(await page.locator('script, img').count()).toBe(0);
        // Its own style is let through by its policy.
        const background = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
        await page.emulateMedia({ colorScheme: 'light' });
        expect(await background()).toBe('rgb(243, 245, 248)');
        await page.emulateMedia({ colorScheme: 'dark' });
        expect(await background()).toBe('rgb(17, 21, 27)');

        await page.setViewportSize({ width: 400, height: 800 });
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(400);
        const pdf = await page.pdf({ preferCSSPageSize: true });
        expect(pdf.toString('latin1')).toMatch(A4);
        expect(asked).toEqual([address]);
        expect(complaints).toEqual([]);
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
