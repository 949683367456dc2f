import { HttpStatus, Logger, StreamableFile } from '@nestjs/common';
import type { Response } from 'express';

/** Statuses whose responses have no body. Express removes it. */
const STATUSES_WITHOUT_BODY = new Set<number>([
  HttpStatus.NO_CONTENT,
  HttpStatus.RESET_CONTENT,
  HttpStatus.NOT_MODIFIED,
]);

const JSON_TYPE = /^application\/json|\+json *(?:;|$)/i;

const logger = new Logger('FastExpressAdapter');

/** Express's settings of JSON responses. */
interface JsonSettings {
  'json replacer'?: Parameters<typeof JSON.stringify>[1];
  'json spaces'?: string | number;
  'json escape'?: boolean;
}

/** Returns whether Nest's adapter would send the body with `response.json()`. */
export function isJsonBody(body: unknown, status: number): body is object {
  return (
    typeof body === 'object' &&
    body !== null &&
    !(body instanceof StreamableFile) &&
    !(body instanceof Error) &&
    !STATUSES_WITHOUT_BODY.has(status)
  );
}

/**
 * Sends an object as `response.json()` does, without Express's ETag. The content type is already set.
 *
 * The response is a 304 only if the handler has set `ETag` or `Last-Modified`.
 *
 * @param statusCode status that the caller has passed to the adapter's `reply()`
 */
export function sendJson(response: Response, body: object, statusCode?: number): Response {
  const json = stringify(body, response.app.settings as JsonSettings);
  const contentType = response.getHeader('Content-Type');
  if (isError(body, statusCode) && !JSON_TYPE.test(String(contentType))) {
    // It is the content type of the handler's own response. Nest's adapter checks this too.
    logger.warn(
      `The body of an error is JSON, but its Content-Type is ${String(contentType)}. Remove the header in the exception filter.`,
    );
    response.setHeader('Content-Type', 'application/json');
  }
  if (isNotModified(response)) return response.status(HttpStatus.NOT_MODIFIED).send();
  const length = Buffer.byteLength(json);
  // HTTP forbids both.
  if (!response.hasHeader('Transfer-Encoding')) response.setHeader('Content-Length', length);
  // ASCII is the same in Latin-1, which Node encodes faster.
  return response.end(json, length === json.length ? 'latin1' : 'utf8');
}

function isError(body: { statusCode?: unknown }, statusCode = 200): boolean {
  return statusCode >= 400 || Number(body.statusCode) >= 400;
}

/** Serializes an object as Express does. Without settings, `JSON.stringify()` has a faster path. */
function stringify(body: object, settings: JsonSettings): string {
  const { 'json replacer': replacer, 'json spaces': spaces, 'json escape': escape } = settings;
  const json = (
    replacer || spaces ? JSON.stringify(body, replacer, spaces) : JSON.stringify(body)
  ) as string | undefined;
  // A method toJSON() has returned undefined.
  if (json === undefined) return '';
  if (!escape) return json;
  return json.replace(/[<>&]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
}

/** Returns whether the client has the version that the handler has named in `ETag` or `Last-Modified`. */
function isNotModified(response: Response): boolean {
  const { req } = response;
  if (!req.headers['if-none-match'] && !req.headers['if-modified-since']) return false;
  // Express considers any response fresh for `If-None-Match: *`.
  return (response.hasHeader('ETag') || response.hasHeader('Last-Modified')) && req.fresh;
}
