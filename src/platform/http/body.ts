import { AsyncResource } from 'node:async_hooks';
import { MIMEType } from 'node:util';
import {
  BadRequestException,
  PayloadTooLargeException,
  UnprocessableEntityException,
  UnsupportedMediaTypeException,
} from '@nestjs/common';
import { raw, type Request, type RequestHandler } from 'express';
import { locateJsonError } from './json-error.js';

/** Deeper values are refused, as by FastAPI, where Python's recursion ends at about this depth. */
const NESTING_LIMIT = 950;

const UNPARSABLE = 'There was an error parsing the body';
const UTF8 = new TextDecoder('utf-8', { fatal: true });
/** What clients call UTF-8; ASCII is a part of it. */
const CHARSETS = new Set(['utf-8', 'utf8', 'us-ascii', 'ascii']);
/** As Node looks for it. */
const CONTINUE = /(?:^|\W)100-continue(?:$|\W)/i;
const UNITS = { b: 1, kb: 1024, mb: 1024 ** 2 };

/**
 * Reads a request's body into `req.body`: the value of a JSON body, the text of any other (which
 * validation then refuses, naming what was sent), undefined when there is none.
 *
 * It belongs on a route, behind the match: what nobody will look at is not parsed, so a liveness
 * probe with a broken body is still answered, and an unknown path is a 404 whatever it is sent.
 *
 * Passes on 413 over `limit` (a size such as `100kb`, counted after decompression), 415 for a
 * charset or content encoding that it does not know, 400 for bytes that are no text, a body that
 * is cut short or nested too deep, and 422 for broken JSON.
 */
export function readBody(limit: string): RequestHandler {
  const bytes = toBytes(limit);
  const readBytes = raw({ type: () => true, limit: bytes });
  return (req, res, next) => {
    if (req.readableEnded) {
      // A middleware of a feature, or another route, has read it.
      next();
      return;
    }
    if (Number(req.headers['content-length']) > bytes) {
      next(tooLarge(limit));
      return;
    }
    // The adapter leaves it to the reader to ask for a body that the client holds back.
    if (req.httpVersion === '1.1' && CONTINUE.test(req.headers.expect ?? '')) res.writeContinue();
    const goOn = (error?: unknown, body?: Buffer) => {
      try {
        if (error) throw explain(error, limit);
        req.body = body?.length ? decode(body, req.headers['content-type']) : undefined;
      } catch (reason) {
        next(reason);
        return;
      }
      next();
    };
    if (isPlain(req)) collect(req, bytes, limit, goOn);
    else {
      readBytes(req, res, (error?: unknown) => {
        goOn(error, req.body as Buffer | undefined);
      });
    }
  };
}

/** Whether there is a body that is not compressed. */
function isPlain({ headers }: Request): boolean {
  const hasBody = headers['content-length'] ?? headers['transfer-encoding'];
  const encoding = headers['content-encoding']?.toLowerCase() ?? 'identity';
  return hasBody !== undefined && encoding === 'identity';
}

/**
 * Reads a body that is not compressed: the same as Express's raw(), without its detours, which are a
 * twentieth of an echo's time.
 */
function collect(
  req: Request,
  bytes: number,
  limit: string,
  done: (error?: Error, body?: Buffer) => void,
): void {
  const chunks: Buffer[] = [];
  let length = 0;
  req.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length <= bytes) chunks.push(chunk);
  });
  // What comes from the connection is outside of the request's context. (bind() keeps the garbage
  // collector busy: it waits for the end of each resource.)
  const context = new AsyncResource('readBody', { requireManualDestroy: true });
  let isDone = false;
  const settle = () => {
    if (isDone) return;
    isDone = true;
    context.runInAsyncScope(() => {
      if (length > bytes) done(tooLarge(limit));
      else if (!req.complete) done(new BadRequestException(UNPARSABLE));
      else done(undefined, Buffer.concat(chunks));
    });
  };
  req.on('end', settle).on('close', settle);
}

function toBytes(size: string): number {
  const [, count, unit = 'b'] = /^(\d+)(b|kb|mb)?$/i.exec(size) ?? [];
  return Number(count) * UNITS[unit.toLowerCase() as keyof typeof UNITS];
}

function tooLarge(limit: string): Error {
  return new PayloadTooLargeException(`The request body is larger than the limit of ${limit}`);
}

/** body-parser's errors have the status; a 413 does not say the limit, nor most 400s anything. */
function explain(error: unknown, limit: string): unknown {
  switch (error instanceof Error && 'status' in error && error.status) {
    case 413:
      return tooLarge(limit);
    case 400:
      return new BadRequestException(UNPARSABLE);
    default:
      return error;
  }
}

function decode(bytes: Buffer, contentType: string | undefined): unknown {
  // What nearly all send need not be parsed.
  if (contentType !== 'application/json') {
    const mime = parseMime(contentType);
    if (!isJson(mime)) return bytes.toString();
    const charset = mime.params.get('charset');
    if (charset !== null && !CHARSETS.has(charset.toLowerCase())) {
      throw new UnsupportedMediaTypeException(
        `Unsupported charset ${JSON.stringify(charset)}: send JSON as utf-8`,
      );
    }
  }
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    throw new BadRequestException(UNPARSABLE);
  }
  const value = parseJson(text);
  if (isNestedDeeper(value, NESTING_LIMIT)) throw new BadRequestException(UNPARSABLE);
  return value;
}

function parseMime(contentType: string | undefined): MIMEType | undefined {
  try {
    return contentType === undefined ? undefined : new MIMEType(contentType);
  } catch {
    return undefined;
  }
}

/** FastAPI's rule: `application/json` and every `application/…+json`. */
function isJson(mime: MIMEType | undefined): mime is MIMEType {
  return (
    mime?.type === 'application' && (mime.subtype === 'json' || mime.subtype.endsWith('+json'))
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw describeBrokenJson(text);
  }
}

function describeBrokenJson(text: string): Error {
  try {
    const { reason, position } = locateJsonError(text, NESTING_LIMIT);
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
    return new BadRequestException(UNPARSABLE);
  }
}

function isNestedDeeper(value: unknown, limit: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return limit === 0 || Object.values(value).some((inner) => isNestedDeeper(inner, limit - 1));
}
