import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Controller, Get, Module } from '@nestjs/common';
import type { OpenAPIObject, OperationObject } from '@nestjs/swagger';
import { type Browser, chromium, type Locator, type Page } from 'playwright-core';
import { AuthModule } from '../src/platform/auth/auth.module.js';
import { Authenticated } from '../src/platform/auth/authenticated.decorator.js';
import { CurrentUser } from '../src/platform/auth/current-user.decorator.js';
import type { AuthenticatedUser } from '../src/platform/auth/token-verifier.service.js';
import { createTestApp } from './fixtures/app.js';
import { getPort } from './fixtures/http.js';
import { type Service, startService, stopService } from './fixtures/process.js';
import { createToken } from './fixtures/tokens.js';

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/google-chrome'];

@Controller('pets')
@Authenticated()
class PetsController {
  @Get()
  find(@CurrentUser() { sub }: AuthenticatedUser) {
    return { owner: sub };
  }
}

@Module({ imports: [AuthModule], controllers: [PetsController] })
class PetsModule {}

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

/** Opens `/docs`, and collects console messages, failed requests, and requests to other servers. */
async function openDocs({
  url = service.url,
  path = '/docs',
  colorScheme = 'light',
  width = 1280,
}: {
  url?: string;
  path?: string;
  colorScheme?: 'light' | 'dark';
  width?: number;
} = {}): Promise<{ page: Page; problems: string[] }> {
  const page = await browser.newPage({ colorScheme, viewport: { width, height: 800 } });
  const problems: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('requestfailed', (failed) => problems.push(`failed: ${failed.url()}`));
  page.on('request', (sent) => {
    const isLocal = sent.url().startsWith(`${url}/`) || sent.url().startsWith('data:');
    if (!isLocal) problems.push(`request to another server: ${sent.url()}`);
  });
  await page.goto(url + path);
  await page.locator('.opblock').first().waitFor();
  return { page, problems };
}

async function fetchDocument(): Promise<OpenAPIObject> {
  const response = await fetch(`${service.url}/openapi.json`);
  return (await response.json()) as OpenAPIObject;
}

function getOperations({ paths }: OpenAPIObject): [string, OperationObject][] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item as Record<string, OperationObject>).map(
      ([method, operation]): [string, OperationObject] => [
        `${method.toUpperCase()} ${path}`,
        operation,
      ],
    ),
  );
}

function findOperation(page: Page, path: string): Locator {
  return page.locator('.opblock', { has: page.locator(`[data-path="${path}"]`) });
}

/** Expands an operation and makes its request editable. */
async function tryOut(operation: Locator): Promise<void> {
  await operation.locator('.opblock-summary-control').click();
  await operation.getByRole('button', { name: 'Try it out' }).click();
}

/** Sends the echo request with a body, and returns the URL that the browser called. */
async function sendEcho(page: Page, operation: Locator, body: string): Promise<string> {
  await operation.locator('textarea.body-param__text').fill(body);
  const response = page.waitForResponse('**/api/v1/system/smoke-test');
  await operation.getByRole('button', { name: 'Execute' }).click();
  return (await response).url();
}

function findStatus(operation: Locator): Locator {
  return operation.locator('.live-responses-table tbody .response-col_status');
}

function findResponseBody(operation: Locator): Locator {
  return operation.locator('.live-responses-table .response-col_description pre').first();
}

/** Returns the lowest WCAG contrast of text and background, from 1 to 21, among matching elements. */
function measureLowestContrast(elements: Locator): Promise<number> {
  return elements.evaluateAll((matching) => {
    const parse = (color: string) => {
      const [red = 0, green = 0, blue = 0, alpha = 1] = (color.match(/[\d.]+/g) ?? []).map(Number);
      return { rgb: [red, green, blue], alpha };
    };
    // Each color is painted over the colors of the ancestors.
    const getBackground = (element: Element | null): number[] => {
      if (!element) return [255, 255, 255];
      const { rgb, alpha } = parse(getComputedStyle(element).backgroundColor);
      if (alpha === 1) return rgb;
      const behind = getBackground(element.parentElement);
      return rgb.map((channel, i) => channel * alpha + (behind[i] ?? 0) * (1 - alpha));
    };
    const getLuminance = (rgb: number[]) => {
      const [red = 0, green = 0, blue = 0] = rgb.map((channel) => {
        const value = channel / 255;
        return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const contrasts = matching.map((element) => {
      const text = getLuminance(parse(getComputedStyle(element).color).rgb);
      const background = getLuminance(getBackground(element));
      return (Math.max(text, background) + 0.05) / (Math.min(text, background) + 0.05);
    });
    return Math.min(...contrasts);
  });
}

describe.each(['light', 'dark'] as const)('GET /docs in a browser, %s', (colorScheme) => {
  let page: Page;
  let problems: string[];

  beforeAll(async () => {
    ({ page, problems } = await openDocs({ colorScheme }));
    // DOCS_SCREENSHOT=.github/docs.png npm run test:browser updates the image in README.md.
    const { DOCS_SCREENSHOT: path } = process.env;
    if (path !== undefined && colorScheme === 'light') await page.screenshot({ path });
  });

  it('shows every operation of the document', async () => {
    const documented = getOperations(await fetchDocument()).map(([name]) => name);
    const summaries = await page.locator('.opblock-summary').all();
    const shown = await Promise.all(
      summaries.map(async (summary) => {
        const method = await summary.locator('.opblock-summary-method').textContent();
        const path = await summary.locator('[data-path]').getAttribute('data-path');
        return `${String(method)} ${String(path)}`;
      }),
    );
    expect([...new Set(shown)].sort()).toEqual(documented.sort());
  });

  it('uses the color scheme of the browser', async () => {
    // Dark text needs a light background, and the other way round.
    const color = await page
      .locator('.swagger-ui .info .title')
      .evaluate((element) => getComputedStyle(element).color);
    const [red = 0] = (color.match(/\d+/g) ?? []).map(Number);
    expect(red > 127).toBe(colorScheme === 'dark');
    expect(await measureLowestContrast(page.locator('.info .title, .info p'))).toBeGreaterThan(4.5);
  });

  it('shows response headers with sufficient contrast', async () => {
    const operation = findOperation(page, '/system/info');
    await operation.locator('.opblock-summary-control').click();
    const cells = operation.locator('table.headers th, table.headers td');
    await cells.first().waitFor();
    expect(await measureLowestContrast(cells)).toBeGreaterThan(4.5);
  });

  it('sends the echo request with "Try it out", and shows the response', async () => {
    const echo = findOperation(page, '/api/v1/system/smoke-test');
    await tryOut(echo);

    await sendEcho(page, echo, '{"ping": "How is the cat today?"}');
    await findStatus(echo).getByText('200', { exact: true }).waitFor();
    expect(await findResponseBody(echo).textContent()).toContain('"pong": "How is the cat today?"');
    expect(problems).toEqual([]);

    await sendEcho(page, echo, '{"ping": 1}');
    await findStatus(echo).getByText('422', { exact: true }).waitFor();
    expect(await findResponseBody(echo).textContent()).toContain(
      '"msg": "Input should be a valid string"',
    );
    // Browsers log each response with an error status.
    expect(problems).toEqual([expect.stringContaining('status of 422')]);
  });
});

describe('GET /docs in a browser', () => {
  it('has a title, and a link to the document', async () => {
    const { page } = await openDocs();
    expect(await page.title()).toBe('PetSage API');
    await page.getByRole('link', { name: 'openapi.json' }).click();
    await page.waitForURL(`${service.url}/openapi.json`);
  });

  it('switches between light and dark', async () => {
    const { page } = await openDocs();
    await page.getByRole('button', { name: 'Switch to dark mode' }).click();
    await page.locator('html.dark-mode').waitFor();
    await page.getByRole('button', { name: 'Switch to light mode' }).click();
    await page.locator('html:not(.dark-mode)').waitFor();
  });

  it('lists tags in the order of the document', async () => {
    const document = await fetchDocument();
    const operations = getOperations(document);
    const declared = (document.tags ?? []).map(({ name }) => name);
    const used = operations.flatMap(([, { tags }]) => tags ?? ['default']);
    const { page } = await openDocs();
    const shown = await page
      .locator('.opblock-tag')
      .evaluateAll((tags) => tags.map((tag) => tag.getAttribute('data-tag')));
    expect(shown).toEqual([...new Set([...declared, ...used])].filter((tag) => used.includes(tag)));
  });

  it('does not scroll horizontally at a width of 390 px', async () => {
    const { page } = await openDocs({ width: 390 });
    for (const control of await page.locator('.opblock-summary-control').all()) {
      await control.click();
    }
    const echo = findOperation(page, '/api/v1/system/smoke-test');
    await echo.getByRole('button', { name: 'Try it out' }).click();
    await sendEcho(page, echo, JSON.stringify({ ping: 'long'.repeat(100) }));
    await findStatus(echo).getByText('200', { exact: true }).waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  });

  it('shows tag descriptions at full width on a phone', async () => {
    const { page } = await openDocs({ width: 390 });
    const widths = await page
      .locator('.opblock-tag small')
      .evaluateAll((elements) => elements.map(({ clientWidth }) => clientWidth));
    expect(widths.filter((width) => width < 300)).toEqual([]);
    expect(widths).not.toEqual([]);
  });

  it('uses the width of a phone', async () => {
    // Only a mobile browser applies the viewport of the page: without it, the width is 980.
    const context = await browser.newContext({
      viewport: { width: 390, height: 844 },
      isMobile: true,
    });
    const page = await context.newPage();
    await page.goto(`${service.url}/docs`);
    expect(await page.evaluate(() => document.documentElement.clientWidth)).toBe(390);
  });
});

describe('GET /docs in a browser, with a feature that requires a token', () => {
  it('sends the token of "Authorize"', async () => {
    const { app } = await createTestApp({ features: [PetsModule] });
    const { page, problems } = await openDocs({ url: `http://127.0.0.1:${getPort(app)}` });
    const find = findOperation(page, '/pets');
    await tryOut(find);
    await find.getByRole('button', { name: 'Execute' }).click();
    await findStatus(find).getByText('401', { exact: true }).waitFor();
    expect(await findResponseBody(find).textContent()).toContain('"detail": "Not authenticated"');

    await page.locator('.auth-wrapper').getByRole('button', { name: 'Authorize' }).click();
    const dialog = page.locator('.modal-ux');
    await dialog.getByRole('textbox').fill(await createToken(app, { sub: 'alice' }));
    await dialog.getByRole('button', { name: 'Apply credentials' }).click();
    await dialog.getByRole('button', { name: 'Close' }).last().click();
    await find.getByRole('button', { name: 'Execute' }).click();
    await findStatus(find).getByText('200', { exact: true }).waitFor();
    expect(await findResponseBody(find).textContent()).toContain('"owner": "alice"');
    // Browsers log each response with an error status.
    expect(problems).toEqual([expect.stringContaining('status of 401')]);
  });
});

describe('GET /docs behind a proxy that removes ROOT_PATH', () => {
  const rootPath = '/petsage/v1';
  let proxied: Service;
  let proxy: Server;
  let url: string;

  beforeAll(async () => {
    proxied = await startService({ env: { LOG_LEVEL: 'silent', ROOT_PATH: rootPath } });
    proxy = createServer((req, res) => {
      const { method, headers, url: target = '' } = req;
      if (!target.startsWith(`${rootPath}/`)) {
        res.writeHead(404).end();
        return;
      }
      const upstream = proxied.url + target.slice(rootPath.length);
      req.pipe(
        request(upstream, { method, headers }, (response) => {
          res.writeHead(response.statusCode ?? 502, response.headers);
          response.pipe(res);
        }),
      );
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${rootPath}`;
  });

  afterAll(async () => {
    proxy.closeAllConnections();
    proxy.close();
    await stopService(proxied);
  });

  it('loads its assets and calls the API through the proxy', async () => {
    const { page, problems } = await openDocs({ url });
    const echo = findOperation(page, '/api/v1/system/smoke-test');
    await tryOut(echo);
    const called = await sendEcho(page, echo, '{"ping": "meow"}');
    expect(called).toBe(`${url}/api/v1/system/smoke-test`);
    await findStatus(echo).getByText('200', { exact: true }).waitFor();
    expect(await findResponseBody(echo).textContent()).toContain('"pong": "meow"');
    expect(problems).toEqual([]);
  });

  it('links to the document through the proxy', async () => {
    const { page } = await openDocs({ url });
    await page.getByRole('link', { name: 'openapi.json' }).click();
    await page.waitForURL(`${url}/openapi.json`);
    expect(await page.textContent('body')).toContain('"openapi":"3.1.0"');
  });

  it.each(['/docs/', '/docs/index.html'])('loads its assets at %s', async (path) => {
    const { problems } = await openDocs({ url, path });
    expect(problems).toEqual([]);
  });
});
