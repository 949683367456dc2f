import { existsSync } from 'node:fs';
import type { OpenAPIObject } from '@nestjs/swagger';
import { type Browser, chromium, type Page } from 'playwright-core';
import { type Service, startService, stopService } from './fixtures/process.js';

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/google-chrome'];

let service: Service;
let browser: Browser;

beforeAll(async () => {
  const executablePath = BROWSERS.find((path) => existsSync(path));
  if (executablePath === undefined) throw new Error(`Expected one of ${BROWSERS.join(', ')}`);
  service = await startService({ env: { LOG_LEVEL: 'silent' } });
  browser = await chromium.launch({ executablePath });
});

afterAll(async () => {
  await browser.close();
  await stopService(service);
});

/** The page, and whatever a person would not want to find in its console. */
async function open(colorScheme: 'light' | 'dark'): Promise<{ page: Page; complaints: string[] }> {
  const page = await browser.newPage({ colorScheme, viewport: { width: 1000, height: 1400 } });
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('requestfailed', (request) => complaints.push(`failed: ${request.url()}`));
  page.on('request', (request) => {
    const isHere = request.url().startsWith(`${service.url}/`) || request.url().startsWith('data:');
    if (!isHere) complaints.push(`leaves the machine: ${request.url()}`);
  });
  await page.goto(`${service.url}/docs`);
  await page.locator('.opblock').first().waitFor();
  return { page, complaints };
}

/** How bright a page's background is: 0 is black, 1 white. */
function brightness(page: Page): Promise<number> {
  return page.evaluate(() => {
    const isVisible = (color: string) => !/^rgba\(.*, 0\)$|^transparent$/.test(color);
    const color = [document.querySelector('.swagger-ui'), document.body, document.documentElement]
      .map((element) => (element ? getComputedStyle(element).backgroundColor : 'transparent'))
      .find(isVisible);
    const [red = 255, green = 255, blue = 255] = (color?.match(/[\d.]+/g) ?? []).map(Number);
    return (red + green + blue) / 3 / 255;
  });
}

describe.each(['light', 'dark'] as const)('GET /docs in a browser, %s', (colorScheme) => {
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    ({ page, complaints } = await open(colorScheme));
  });

  it('shows every operation of the document', async () => {
    const answer = await fetch(`${service.url}/openapi.json`);
    const { paths } = (await answer.json()) as OpenAPIObject;
    const documented = Object.entries(paths).flatMap(([path, item]) =>
      Object.keys(item as object).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const blocks = await page.locator('.opblock-summary').all();
    const shown = await Promise.all(
      blocks.map(async (block) => {
        const method = await block.locator('.opblock-summary-method').textContent();
        const path = await block.locator('[data-path]').getAttribute('data-path');
        return `${String(method)} ${String(path)}`;
      }),
    );
    expect([...new Set(shown)].sort()).toEqual(documented.sort());
  });

  it('has the colors that were asked for', async () => {
    const isDark = (await brightness(page)) < 0.5;
    expect(isDark).toBe(colorScheme === 'dark');
  });

  it('sends the echo that a person tries out, and shows what comes back', async () => {
    const echo = page.locator('.opblock', {
      has: page.locator('[data-path="/api/v1/system/smoke-test"]'),
    });
    const status = echo.locator('.live-responses-table tbody .response-col_status');
    const body = echo.locator('.live-responses-table .response-col_description pre').first();
    const send = async (text: string) => {
      await echo.locator('textarea.body-param__text').fill(text);
      const answered = page.waitForResponse('**/api/v1/system/smoke-test');
      await echo.getByRole('button', { name: 'Execute' }).click();
      await answered;
    };
    await echo.locator('.opblock-summary-control').click();
    await echo.getByRole('button', { name: 'Try it out' }).click();

    await send('{"ping": "How is the cat today?"}');
    await status.getByText('200', { exact: true }).waitFor();
    expect(await body.textContent()).toContain('"pong": "How is the cat today?"');
    // DOCS_SCREENSHOT=.github/docs.png npm run test:browser makes the README's picture.
    const { DOCS_SCREENSHOT: path } = process.env;
    if (path !== undefined && colorScheme === 'light') {
      await page.setViewportSize({ width: 1000, height: 900 });
      const button = echo.getByRole('button', { name: 'Execute' });
      await button.evaluate((element) => {
        element.scrollIntoView();
      });
      await page.screenshot({ path });
    }

    expect(complaints).toEqual([]);
    await send('{"ping": 1}');
    await status.getByText('422', { exact: true }).waitFor();
    expect(await body.textContent()).toContain('"msg": "Input should be a valid string"');
    // A browser reports each answer that is an error.
    expect(complaints).toEqual([expect.stringContaining('status of 422')]);
  });
});
