import { createHash } from 'node:crypto';
import { ModulesContainer } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import type { ApiAdapter } from '../http/api.adapter.js';
import { StartupError } from '../startup-error.js';
import { setDocsHeaders } from './docs-headers.js';
import { createDocsPage, createDocsScript } from './docs-page.js';
import { createOpenApiDocument } from './openapi-document.js';
import { assertUniqueOperationIds } from './operation-ids.js';
import { formatYaml } from './yaml.js';

const DOCUMENT_PATHS = ['/openapi.json', '/openapi.yaml'];
const UI_PATH = '/docs';

/**
 * Serves Swagger UI at `/docs` and the OpenAPI document at `/openapi.json` and `/openapi.yaml`.
 *
 * @throws Error that names the route, if a feature's route matches one of these paths, or both handlers, if
 *   two have the same operation id
 */
export function setupDocs(app: NestExpressApplication, adapter: ApiAdapter): void {
  assertNotShadowed(adapter);
  assertUniqueOperationIds(app.get(ModulesContainer));
  app.use([UI_PATH, ...DOCUMENT_PATHS], markDocsRequest);
  app.use(UI_PATH, setDocsHeaders);
  const express = app.getHttpAdapter().getInstance();
  express.get([UI_PATH, `${UI_PATH}/index.html`], sendDocsPage);
  const getJson = cacheText(async () => JSON.stringify(await createOpenApiDocument(app)));
  const getYaml = cacheText(async () => formatYaml(await createOpenApiDocument(app)));
  const getScript = cacheText(async () => createDocsScript(String((await getJson()).bytes)));
  express.get('/openapi.json', send('application/json', getJson));
  express.get('/openapi.yaml', send('text/yaml', getYaml));
  express.get(`${UI_PATH}/swagger-ui-init.js`, send('application/javascript', getScript));
  // Serves the files of Swagger UI. The routes above replace the document and the page.
  SwaggerModule.setup(UI_PATH, app, {} as OpenAPIObject, { raw: false });
}

interface Content {
  bytes: Buffer;
  etag: string;
}

/** Creates a text when it is first requested, and keeps its bytes. After an error, creates it again. */
function cacheText(create: () => Promise<string>): () => Promise<Content> {
  let content: Promise<Content> | undefined;
  const createContent = async () => {
    try {
      const bytes = Buffer.from(await create());
      return { bytes, etag: `"${createHash('sha1').update(bytes).digest('base64url')}"` };
    } catch (error) {
      content = undefined;
      throw error;
    }
  };
  return () => (content ??= createContent());
}

function send(type: string, getContent: () => Promise<Content>): RequestHandler {
  return async (_req, res) => {
    const { bytes, etag } = await getContent();
    // Express sends a 304 if the request has the same ETag.
    res.type(type).set({ ETag: etag, 'Cache-Control': 'no-cache' }).send(bytes);
  };
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
