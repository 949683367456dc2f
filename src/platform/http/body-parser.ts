import { AsyncResource } from 'node:async_hooks';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { MIMEType } from 'node:util';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import {
  BadRequestException,
  PayloadTooLargeException,
  type RawBodyRequest,
  UnprocessableEntityException,
  UnsupportedMediaTypeException,
} from '@nestjs/common';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import type { Request, RequestHandler, Response } from 'express';
import { getBodyUse } from './body-use.js';
import { findJsonSyntaxError } from './json-syntax-error.js';
import { requestState } from './request-state.js';

/** Maximum nesting of objects and arrays. FastAPI rejects about the same depth. */
const MAX_DEPTH = 950;

const PARSE_ERROR = 'There was an error parsing the body';
const UTF8 = new TextDecoder('utf-8', { fatal: true });
const UTF8_CHARSETS = new Set(['utf-8', 'utf8', 'us-ascii', 'ascii']);
const PLAIN_JSON = new MIMEType('application/json');
const UNIT_BYTES = { b: 1, kb: 1024, mb: 1024 ** 2 };
/** Values of Content-Encoding that change nothing. Some clients send the charset, which FastAPI ignores. */
const NO_ENCODINGS = new Set(['', 'identity', 'utf-8']);
const DECOMPRESSORS = new Map([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
]);
/** Methods whose requests have a body only if the handler declares one. */
const METHODS_WITHOUT_BODY = new Set(['get', 'head', 'options']);

/** Maximum size of a body after decompression. */
interface Limit {
  text: string;
  bytes: number;
}

interface BodyParserOptions {
  limit: Limit;
  /** Whether a body that cannot be parsed is an error. Otherwise, `req.body` is undefined. */
  isStrict: boolean;
  /** Whether to read other bodies than JSON too, except `multipart/*`. */
  readsAnyType: boolean;
}

/**
 * Creates the body parser of a route, or returns undefined if the route never has a body.
 *
 * @param method lower-case method of the route
 * @param handler handler of the route
 * @param defaultLimit limit of handlers without `@BodyLimit()`
 */
export function createRouteBodyParser(
  method: string,
  handler: unknown,
  defaultLimit: string,
): RequestHandler | undefined {
  const use = getBodyUse(handler);
  const readsAnyType = use?.parameters.includes(RouteParamtypes.RAW_BODY) ?? false;
  const declaresBody = readsAnyType || use?.parameters.includes(RouteParamtypes.BODY) === true;
  if (!declaresBody && METHODS_WITHOUT_BODY.has(method)) return undefined;
  const limit = use?.limit ?? defaultLimit;
  return createBodyParser({
    limit: { text: limit, bytes: toBytes(limit) },
    // Without a BodyUse, the handler is a function for Express, which takes the request.
    isStrict: declaresBody || use?.parameters.includes(RouteParamtypes.REQUEST) !== false,
    readsAnyType,
  });
}

/**
 * Creates a route handler that parses a JSON body into `req.body` and stores its bytes in `req.rawBody`.
 * Other bodies stay unread, for an interceptor such as `FileInterceptor` or for a handler that reads the
 * request as a stream. A body that is still unread when a DTO is validated is read then: see
 * {@link RequestState.readText}.
 *
 * Used as a handler of each route and not as global middleware, so that a request to an unknown path, or
 * to a route that takes no body, is never rejected because of its body.
 *
 * Passes on 413 for a body over the limit, 415 for an unsupported charset or content encoding, 400 for an
 * incomplete body, invalid UTF-8 or too deep nesting, and 422 for invalid JSON.
 */
function createBodyParser({ limit, isStrict, readsAnyType }: BodyParserOptions): RequestHandler {
  const isParsed = (type: MIMEType | undefined) =>
    readsAnyType ? type?.type !== 'multipart' : isJson(type);
  return (req: RawBodyRequest<Request>, res, next) => {
    // A middleware of a feature, or the parser of another matching route, may have read it.
    if (!hasBody(req) || req.body !== undefined || isRead(req)) {
      next();
      return;
    }
    const type = parseMime(req.headers['content-type']);
    if (type !== PLAIN_JSON && !isParsed(type)) {
      if (isStrict) provideText(req, res, limit);
      next();
      return;
    }
    readBody(req, limit, (error, bytes) => {
      let reason: unknown = error;
      if (bytes !== undefined) {
        req.rawBody = bytes;
        try {
          req.body = bytes.length > 0 ? parse(bytes, type) : undefined;
        } catch (parseError) {
          reason = parseError;
        }
      }
      next(isStrict ? reason : undefined);
    });
  };
}

/**
 * Sends 100 Continue when the body is first read, so that a client with `Expect: 100-continue` does not send a body
 * that is rejected unread.
 */
export function sendContinueOnRead(req: IncomingMessage, res: ServerResponse): void {
  const read = req._read.bind(req);
  req._read = (size) => {
    req._read = read;
    if (!res.headersSent) res.writeContinue();
    read(size);
  };
}

function hasBody({ headers }: Request): boolean {
  return (headers['content-length'] ?? headers['transfer-encoding']) !== undefined;
}

function isRead(req: Request): boolean {
  return req.readableDidRead || req.readableEnded;
}

/** Lets DTO validation read the body, until the response is closed. */
function provideText(req: Request, res: Response, limit: Limit): void {
  const { [requestState]: state } = req;
  state.readText = async () => (isRead(req) ? undefined : readText(req, limit));
  // Asynchronous work that outlives the request keeps its state in memory.
  res.once('close', () => {
    state.readText = undefined;
  });
}

function readText(req: Request, limit: Limit): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    readBody(req, limit, (error, bytes) => {
      if (error) reject(error);
      else resolve(bytes?.length ? bytes.toString() : undefined);
    });
  });
}

/**
 * Reads and decompresses a body. Express's `raw()` takes longer: see docs/decisions/body-parser.md.
 *
 * @param done is called with an error or with the body
 */
function readBody(req: Request, limit: Limit, done: (error?: Error, body?: Buffer) => void): void {
  if (Number(req.headers['content-length']) > limit.bytes) {
    done(createTooLargeError(limit));
    return;
  }
  const encoding = req.headers['content-encoding']?.toLowerCase() ?? '';
  const createDecompressor = DECOMPRESSORS.get(encoding);
  if (!NO_ENCODINGS.has(encoding) && createDecompressor === undefined) {
    done(new UnsupportedMediaTypeException(`Unsupported content encoding "${encoding}"`));
    return;
  }
  const decompressor = createDecompressor && req.pipe(createDecompressor());
  const chunks: Buffer[] = [];
  let length = 0;
  // The events of the connection are emitted outside of the request's context. AsyncResource.bind()
  // would register each resource with the garbage collector.
  const context = new AsyncResource('readBody', { requireManualDestroy: true });
  let isDone = false;
  const finish = (error?: unknown) => {
    if (isDone) return;
    isDone = true;
    context.runInAsyncScope(() => {
      if (length > limit.bytes) done(createTooLargeError(limit));
      else if (error || !req.complete) done(new BadRequestException(PARSE_ERROR));
      else done(undefined, chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, length));
    });
  };
  (decompressor ?? req)
    .on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= limit.bytes) chunks.push(chunk);
      // Decompressing the rest could take long: a few bytes can become gigabytes.
      else decompressor?.destroy();
    })
    .on('end', finish);
  decompressor?.on('error', finish).on('close', finish);
  req.on('close', () => {
    if (!req.complete) finish();
  });
}

function toBytes(size: string): number {
  const [, count, unit = 'b'] = /^(\d+)(b|kb|mb)?$/i.exec(size) ?? [];
  return Number(count) * UNIT_BYTES[unit.toLowerCase() as keyof typeof UNIT_BYTES];
}

function createTooLargeError({ text }: Limit): Error {
  return new PayloadTooLargeException(`The request body is larger than the limit of ${text}`);
}

function parse(bytes: Buffer, type: MIMEType | undefined): unknown {
  // Fast path for the usual content type.
  if (type !== PLAIN_JSON) {
    if (!isJson(type)) return bytes.toString();
    const charset = type.params.get('charset');
    if (charset !== null && !UTF8_CHARSETS.has(charset.toLowerCase())) {
      throw new UnsupportedMediaTypeException(
        `Unsupported charset ${JSON.stringify(charset)}: send JSON as utf-8`,
      );
    }
  }
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    throw new BadRequestException(PARSE_ERROR);
  }
  const value = parseJson(text);
  if (isDeeperThan(value, MAX_DEPTH)) throw new BadRequestException(PARSE_ERROR);
  return value;
}

function parseMime(contentType: string | undefined): MIMEType | undefined {
  if (contentType === 'application/json') return PLAIN_JSON;
  try {
    return contentType === undefined ? undefined : new MIMEType(contentType);
  } catch {
    return undefined;
  }
}

/** Returns whether FastAPI parses this content type: `application/json` or `application/*+json`. */
function isJson(mime: MIMEType | undefined): mime is MIMEType {
  return (
    mime?.type === 'application' && (mime.subtype === 'json' || mime.subtype.endsWith('+json'))
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw createSyntaxError(text);
  }
}

function createSyntaxError(text: string): Error {
  try {
    const { reason, position } = findJsonSyntaxError(text, MAX_DEPTH);
    return new UnprocessableEntityException({
      detail: [
        {
          type: 'json_invalid',
          loc: ['body', position],
          msg: 'JSON decode error',
          input: {},
          ctx: { error: reason },
        },
      ],
    });
  } catch {
    return new BadRequestException(PARSE_ERROR);
  }
}

function isDeeperThan(value: unknown, limit: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return limit === 0 || Object.values(value).some((inner) => isDeeperThan(inner, limit - 1));
}
