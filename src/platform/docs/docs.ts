import { createHash } from 'node:crypto';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { dump } from 'js-yaml';
import type { ApiAdapter } from '../http/api.adapter.js';
import { requestState } from '../http/request-state.js';
import { StartupError } from '../startup-error.js';
import { setDocsHeaders } from './docs-headers.js';
import { createDocsPage, createDocsScript } from './docs-page.js';
import { createOpenApiDocument } from './openapi-document.js';

const DOCUMENT_PATHS = ['/openapi.json', '/openapi.yaml'];
const UI_PATH = '/docs';

/**
 * Creates the OpenAPI document, and serves it at `/openapi.json` and `/openapi.yaml`, and Swagger UI at `/docs`.
 *
 * @throws StartupError if a route of a feature matches one of these paths, or if the document cannot be created
 */
export function setupDocs(app: NestExpressApplication, adapter: ApiAdapter): void {
  assertNotShadowed(adapter);
  const document = createOpenApiDocument(app);
  const json = JSON.stringify(document);
  app.use([UI_PATH, ...DOCUMENT_PATHS], markDocsRequest);
  app.use(UI_PATH, setDocsHeaders);
  const express = app.getHttpAdapter().getInstance();
  express.get([UI_PATH, `${UI_PATH}/index.html`], sendDocsPage);
  express.get('/openapi.json', createHandler('application/json', json));
  express.get(
    '/openapi.yaml',
    createHandler('text/yaml', dump(document, { skipInvalid: true, noRefs: true })),
  );
  express.get(
    `${UI_PATH}/swagger-ui-init.js`,
    createHandler('application/javascript', createDocsScript(json)),
  );
  // Serves the files of Swagger UI. The routes above replace the document and the page.
  SwaggerModule.setup(UI_PATH, app, {} as OpenAPIObject, { raw: false });
}

/** Creates a handler that sends a string with its ETag. Express sends a 304 if the request has the same ETag. */
function createHandler(type: string, text: string): RequestHandler {
  const bytes = Buffer.from(text);
  const etag = `"${createHash('sha1').update(bytes).digest('base64url')}"`;
  return (_req, res) => {
    res.type(type).set({ ETag: etag, 'Cache-Control': 'no-cache' }).send(bytes);
  };
}

function sendDocsPage(req: Request, res: Response): void {
  res.type('html').send(createDocsPage(req.path === UI_PATH ? '' : '../'));
}

function assertNotShadowed(adapter: ApiAdapter): void {
  for (const path of [UI_PATH, `${UI_PATH}/swagger-ui.css`, ...DOCUMENT_PATHS]) {
    for (const { path: route, methods } of adapter.findRoutes(path)) {
      if (methods.get || methods._all) {
        throw new StartupError(
          `The route ${String(route)} matches ${path}, which is reserved. Choose another path.`,
        );
      }
    }
  }
}

function markDocsRequest(req: Request, _res: Response, next: NextFunction): void {
  req[requestState].isDocsRequest = true;
  next();
}
