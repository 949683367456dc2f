import { existsSync } from 'node:fs';
import type { OpenAPIObject } from '@nestjs/swagger';
import { type Browser, chromium, type Page } from 'playwright-core';
import request from 'supertest';
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

/**
 * Opens `/docs` and collects what the browser reports: errors and warnings on the console, failed
 * requests, and requests to other hosts.
 */
async function openDocs(
  colorScheme: 'light' | 'dark',
): Promise<{ page: Page; problems: string[] }> {
  const page = await browser.newPage({ colorScheme, viewport: { width: 1000, height: 1400 } });
  const problems: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('requestfailed', (failed) => problems.push(`request failed: ${failed.url()}`));
  page.on('request', (sent) => {
    const { origin, protocol } = new URL(sent.url());
    const isLocal = origin === service.url || protocol === 'data:';
    if (!isLocal) problems.push(`request to another host: ${sent.url()}`);
  });
  await page.goto(`${service.url}/docs`);
  await page.locator('.opblock').first().waitFor();
  return { page, problems };
}

/** Returns the brightness of the background, from 0 (black) to 1 (white). */
function measureBrightness(page: Page): Promise<number> {
  return page.evaluate(() => {
    const isVisible = (color: string) => !/^rgba\(.*, 0\)$|^transparent$/.test(color);
    const color = [document.querySelector('.swagger-ui'), document.body, document.documentElement]
      .map((element) => (element ? getComputedStyle(element).backgroundColor : 'transparent'))
      .find(isVisible);
    const [red = 255, green = 255, blue = 255] = (color?.match(/[\d.]+/g) ?? []).map(Number);
    return (red + green + blue) / 3 / 255;
  });
}

describe.each(['light', 'dark'] as const)('Swagger UI in the %s color scheme', (colorScheme) => {
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    ({ page, problems } = await openDocs(colorScheme));
  });

  it('shows every documented operation', async () => {
    const document = await request(service.url).get('/openapi.json').expect(200);
    const { paths } = document.body as OpenAPIObject;
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

  it('uses the color scheme', async () => {
    const isDark = (await measureBrightness(page)) < 0.5;
    expect(isDark).toBe(colorScheme === 'dark');
  });

  it('sends an echo request and shows the response, without problems in the console', async () => {
    const echo = page.locator('.opblock', {
      has: page.locator('[data-path="/api/v1/system/smoke-test"]'),
    });
    const status = echo.locator('.live-responses-table tbody .response-col_status');
    const body = echo.locator('.live-responses-table .response-col_description pre').first();
    const send = async (text: string) => {
      await echo.locator('textarea.body-param__text').fill(text);
      const response = page.waitForResponse('**/api/v1/system/smoke-test');
      await echo.getByRole('button', { name: 'Execute' }).click();
      await response;
    };
    await echo.locator('.opblock-summary-control').click();
    await echo.getByRole('button', { name: 'Try it out' }).click();

    await send('{"ping": "How is the cat today?"}');
    await status.getByText('200', { exact: true }).waitFor();
    expect(await body.textContent()).toContain('"pong": "How is the cat today?"');
    // DOCS_SCREENSHOT=.github/docs.png npm run test:browser creates the image of the README.
    const { DOCS_SCREENSHOT: path } = process.env;
    if (path !== undefined && colorScheme === 'light') {
      await page.setViewportSize({ width: 1000, height: 900 });
      const button = echo.getByRole('button', { name: 'Execute' });
      await button.evaluate((element) => {
        element.scrollIntoView();
      });
      await page.screenshot({ path });
    }

    expect(problems).toEqual([]);
    await send('{"ping": 1}');
    await status.getByText('422', { exact: true }).waitFor();
    expect(await body.textContent()).toContain('"msg": "Input should be a valid string"');
    // Browsers report each error response on the console.
    expect(problems).toEqual([expect.stringContaining('status of 422')]);
  });
});
