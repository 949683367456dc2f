import { AsyncResource } from 'node:async_hooks';
import { MIMEType } from 'node:util';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import {
  BadRequestException,
  PayloadTooLargeException,
  UnprocessableEntityException,
  UnsupportedMediaTypeException,
} from '@nestjs/common';
import type { Request, RequestHandler } from 'express';
import { findJsonSyntaxError } from './json-syntax-error.js';

/** Maximum nesting of objects and arrays. FastAPI rejects about the same depth. */
const MAX_DEPTH = 950;

const PARSE_ERROR = 'There was an error parsing the body';
const UTF8 = new TextDecoder('utf-8', { fatal: true });
const UTF8_CHARSETS = new Set(['utf-8', 'utf8', 'us-ascii', 'ascii']);
/** The pattern that Node.js uses for the Expect header. */
const EXPECT_CONTINUE = /(?:^|\W)100-continue(?:$|\W)/i;
const UNIT_BYTES = { b: 1, kb: 1024, mb: 1024 ** 2 };
const DECOMPRESSORS = new Map([
  ['gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
]);

/**
 * Creates a route handler that parses a request's body into `req.body`: the value of a JSON body, the
 * text of any other body (which DTO validation rejects), undefined if there is none.
 *
 * Used as a handler of each route and not as global middleware, so that a request to an unknown path, or
 * to a route that takes no body, is never rejected because of its body.
 *
 * Passes on 413 for a body over the limit, 415 for an unsupported charset or content encoding, 400 for an
 * incomplete body, invalid UTF-8 or too deep nesting, and 422 for invalid JSON.
 *
 * @param limit maximum size after decompression, such as `100kb`
 */
export function createBodyParser(limit: string): RequestHandler {
  const limitBytes = toBytes(limit);
  return (req, res, next) => {
    // readableEnded: a middleware of a feature, or the parser of another matching route, has read it.
    if (req.readableEnded || !hasBody(req)) {
      next();
      return;
    }
    if (Number(req.headers['content-length']) > limitBytes) {
      next(createTooLargeError(limit));
      return;
    }
    // The adapter's 'checkContinue' listener leaves this to the parser.
    if (req.httpVersion === '1.1' && EXPECT_CONTINUE.test(req.headers.expect ?? '')) {
      res.writeContinue();
    }
    readBody(req, limitBytes, (error, bytes) => {
      try {
        if (error) throw error;
        if (bytes === undefined) throw createTooLargeError(limit);
        req.body = bytes.length > 0 ? parse(bytes, req.headers['content-type']) : undefined;
      } catch (reason) {
        next(reason);
        return;
      }
      next();
    });
  };
}

function hasBody({ headers }: Request): boolean {
  return (headers['content-length'] ?? headers['transfer-encoding']) !== undefined;
}

/**
 * Reads and decompresses a body. Express's `raw()` does the same, but makes an echo request about 5 % slower.
 *
 * @param done is called with the body, or with undefined if it is larger than the limit
 */
function readBody(
  req: Request,
  limitBytes: number,
  done: (error?: Error, body?: Buffer) => void,
): void {
  const encoding = req.headers['content-encoding']?.toLowerCase() ?? 'identity';
  const createDecompressor = DECOMPRESSORS.get(encoding);
  if (encoding !== 'identity' && createDecompressor === undefined) {
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
      if (length > limitBytes) done();
      else if (error || !req.complete) done(new BadRequestException(PARSE_ERROR));
      else done(undefined, Buffer.concat(chunks));
    });
  };
  (decompressor ?? req)
    .on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= limitBytes) chunks.push(chunk);
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

function createTooLargeError(limit: string): Error {
  return new PayloadTooLargeException(`The request body is larger than the limit of ${limit}`);
}

function parse(bytes: Buffer, contentType: string | undefined): unknown {
  // Fast path for the usual content type.
  if (contentType !== 'application/json') {
    const mime = parseMime(contentType);
    if (!isJson(mime)) return bytes.toString();
    const charset = mime.params.get('charset');
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
