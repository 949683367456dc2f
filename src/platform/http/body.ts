import { MIMEType } from 'node:util';
import {
  BadRequestException,
  PayloadTooLargeException,
  UnprocessableEntityException,
  UnsupportedMediaTypeException,
} from '@nestjs/common';
import { raw, type RequestHandler } from 'express';
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
    if (Number(req.headers['content-length']) > bytes) {
      next(tooLarge(limit));
      return;
    }
    // The adapter leaves it to the reader to ask for a body that the client holds back.
    if (req.httpVersion === '1.1' && CONTINUE.test(req.headers.expect ?? '')) res.writeContinue();
    readBytes(req, res, (error?: unknown) => {
      try {
        if (error) throw explain(error, limit);
        const body = req.body as Buffer | undefined;
        req.body = body?.length ? decode(body, req.headers['content-type']) : undefined;
      } catch (reason) {
        next(reason);
        return;
      }
      next();
    });
  };
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
  const mime = parseMime(contentType);
  if (!isJson(mime)) return bytes.toString();
  const charset = mime.params.get('charset');
  if (charset !== null && !CHARSETS.has(charset.toLowerCase())) {
    throw new UnsupportedMediaTypeException(
      `Unsupported charset ${JSON.stringify(charset)}: send JSON as utf-8`,
    );
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
