import { type OutgoingHttpHeaders, STATUS_CODES } from 'node:http';
import { types } from 'node:util';
import {
  type ArgumentsHost,
  Catch,
  type ExceptionFilter,
  HttpException,
  HttpStatus,
  Logger,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Response } from 'express';
import { LogDeliveryError } from '../logging/log-destination.js';
import { hasDisconnectedDuringUpload } from './client-disconnect.js';
import { requestState } from './request-state.js';

/** Headers that describe the body of the handler's own response. */
const BODY_HEADERS = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-range',
  'content-type',
];

const INTERNAL_SERVER_ERROR = { detail: 'Internal Server Error' };

/** An error of `http-errors`, the package with which Express and its middleware create errors. */
interface HttpError extends Error {
  status?: number;
  statusCode?: number;
  /** Whether clients may see the message. */
  expose: boolean;
  headers?: OutgoingHttpHeaders;
}

/**
 * Responds to every exception in FastAPI's format: `{"detail":…}` with what the author passed to an
 * `HttpException`, or with the message of an error of Express and its middleware. Everything else is a 500
 * whose body does not contain the cause. The error of every 5xx is logged.
 */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger(ErrorFilter.name);

  constructor(private readonly adapterHost: HttpAdapterHost) {}

  catch(error: unknown, host: ArgumentsHost): void {
    // Other transports, such as GraphQL, format errors themselves.
    if (host.getType() !== 'http') throw error;
    const response = host.switchToHttp().getResponse<Response>();
    if (hasDisconnectedDuringUpload(response)) {
      this.logger.debug({ err: error });
      return;
    }
    const { status, body } = describeError(error);
    const isInterrupted = response.headersSent && !response.writableEnded;
    if (status >= 500 || isInterrupted) this.log(error);
    if (isInterrupted) {
      // Closing the connection is the only way to tell the client that the response is incomplete.
      response.req[requestState].hasFailedResponse = true;
      response.destroy();
    }
    if (response.headersSent) return;
    removeBodyHeaders(response);
    try {
      for (const [name, value] of Object.entries(findHeaders(error))) {
        if (value !== undefined) response.setHeader(name, value);
      }
      this.reply(response, body, status);
    } catch (replyError) {
      // JSON cannot represent the body. Express would respond with HTML.
      this.log(replyError);
      this.reply(response, INTERNAL_SERVER_ERROR, 500);
    }
  }

  private reply(response: Response, body: object, status: number): void {
    this.adapterHost.httpAdapter.reply(response, body, status);
  }

  private log(error: unknown): void {
    const err = isError(error) ? error : new Error(`Thrown: ${formatValue(error)}`);
    // The log destination would reject this record too.
    if (err.cause instanceof LogDeliveryError) return;
    // An error that is passed instead of a message, as in `new BadGatewayException(error)`.
    if (err instanceof HttpException && isError(err.getResponse())) err.cause ??= err.getResponse();
    this.logger.error({ err });
  }
}

function removeBodyHeaders(response: Response): void {
  for (const name of BODY_HEADERS) {
    // Node.js remembers that Content-Length was removed, even if there was none.
    if (response.hasHeader(name)) response.removeHeader(name);
  }
}

function describeError(error: unknown): { status: number; body: object } {
  if (error instanceof HttpException) {
    const status = error.getStatus();
    if (isInteger(status, 200, 999)) return { status, body: createExceptionBody(error) };
  } else if (isHttpError(error)) {
    const status = getHttpErrorStatus(error);
    return { status, body: { detail: error.expose ? error.message : getStatusText(status) } };
  }
  return { status: HttpStatus.INTERNAL_SERVER_ERROR, body: INTERNAL_SERVER_ERROR };
}

/** Returns what the author passed, without the fields that Nest adds: `statusCode`, and `error` with the status text. */
function createExceptionBody(exception: HttpException): object {
  const status = exception.getStatus();
  const response: unknown = exception.getResponse();
  // Nest does not send the message of an error either.
  if (response === undefined || response === null || isError(response)) {
    return { detail: getStatusText(status) };
  }
  if (typeof response !== 'object') {
    const { errorCode } = exception;
    return { detail: errorCode === undefined ? response : { message: response, errorCode } };
  }
  if ('detail' in response) return response;
  const fields: [string, unknown][] = Object.entries(response);
  const passed = fields.filter(
    ([name, value]) =>
      value !== undefined &&
      !(name === 'statusCode' && value === status) &&
      !(name === 'error' && isStatusText(value, status)),
  );
  if (passed.length === 0 && fields.length > 0) return { detail: getStatusText(status) };
  const [name, value] = passed[0] ?? [];
  if (passed.length === 1 && name === 'message' && isMessage(value)) return { detail: value };
  // Is not copied unless necessary: the response may be an array, or have a method toJSON().
  return { detail: passed.length === fields.length ? response : Object.fromEntries(passed) };
}

function isMessage(value: unknown): boolean {
  return typeof value === 'string' || Array.isArray(value);
}

function getStatusText(status: number): string {
  return STATUS_CODES[status] ?? 'Error';
}

/** The status texts of Nest and of Node.js differ for 418, in lower and upper case, and for 421. */
function isStatusText(value: unknown, status: number): boolean {
  if (value === STATUS_CODES[status]) return true;
  const text = String(value).toLowerCase();
  return text === getStatusText(status).toLowerCase() || (status === 421 && text === 'misdirected');
}

function isHttpError(error: unknown): error is HttpError {
  return (
    isError(error) &&
    typeof (error as HttpError).expose === 'boolean' &&
    isInteger(getHttpErrorStatus(error as HttpError), 400, 599)
  );
}

function getHttpErrorStatus({ status, statusCode = status }: HttpError): number {
  return Number(statusCode);
}

/** Returns the headers of an error of `http-errors`, such as `Content-Range`. Nest may have wrapped the error. */
function findHeaders(error: unknown): OutgoingHttpHeaders {
  const httpErrors = [error, (error as Error | undefined)?.cause].filter(isHttpError);
  return httpErrors[0]?.headers ?? {};
}

function isInteger(value: unknown, min: number, max: number): boolean {
  return Number.isInteger(value) && Number(value) >= min && Number(value) <= max;
}

/** Unlike `instanceof`, recognizes errors of other realms. */
function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}

/** Omits the content of an object, which may be what a client sent. */
function formatValue(value: unknown): string {
  const isPrimitive = Object(value) !== value;
  return isPrimitive ? String(value) : Object.prototype.toString.call(value);
}
