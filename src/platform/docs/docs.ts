import type { NestExpressApplication } from '@nestjs/platform-express';
import { SwaggerModule } from '@nestjs/swagger';
import type { NextFunction, Request, Response } from 'express';
import type { ApiAdapter } from '../http/api.adapter.js';
import { StartupError } from '../startup-error.js';
import { setDocsHeaders } from './docs-headers.js';
import { createDocsPage } from './docs-page.js';
import { createOpenApiDocument } from './openapi-document.js';

const DOCUMENT_PATHS = ['/openapi.json', '/openapi.yaml'];
const UI_PATH = '/docs';

/**
 * Serves Swagger UI at `/docs` and the OpenAPI document at `/openapi.json` and `/openapi.yaml`.
 *
 * @throws Error that names the route, if a feature's route matches one of these paths
 */
export function setupDocs(app: NestExpressApplication, adapter: ApiAdapter): void {
  assertNotShadowed(adapter);
  app.use([UI_PATH, ...DOCUMENT_PATHS], markDocsRequest);
  app.use(UI_PATH, setDocsHeaders);
  const express = app.getHttpAdapter().getInstance();
  express.get([UI_PATH, `${UI_PATH}/index.html`], sendDocsPage);
  // Given a function, SwaggerModule creates the document with the first request instead of at start-up.
  SwaggerModule.setup('docs', app, () => createOpenApiDocument(app), {
    jsonDocumentUrl: 'openapi.json',
    yamlDocumentUrl: 'openapi.yaml',
  });
}

function sendDocsPage(req: Request, res: Response): void {
  res.type('html').send(createDocsPage(req.path === UI_PATH ? '' : '../'));
}

function assertNotShadowed(adapter: ApiAdapter): void {
  for (const path of [UI_PATH, `${UI_PATH}/swagger-ui.css`, ...DOCUMENT_PATHS]) {
    for (const { path: route, methods } of adapter.findRoutes(path)) {
      if (methods.includes('get') || methods.includes('_all')) {
        throw new StartupError(
          `The route ${route} matches ${path}, which is reserved. Choose another path.`,
        );
      }
    }
  }
}

function markDocsRequest(req: Request, _res: Response, next: NextFunction): void {
  req.state.isDocsRequest = true;
  next();
}
