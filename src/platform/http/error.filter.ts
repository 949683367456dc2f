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

const UNFORESEEN = { detail: 'Internal Server Error' };

/**
 * Answers whatever was thrown, anywhere in the application, as FastAPI does: `{"detail":…}` with
 * the exception's status and message, or the exception's own body when that has a `detail`. An
 * error that nobody foresaw is a 500 that says nothing of its cause; the cause is in the log,
 * under the request's id. No error is ever cached.
 */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger(ErrorFilter.name);

  constructor(private readonly adapterHost: HttpAdapterHost) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const status: number =
      error instanceof HttpException ? error.getStatus() : HttpStatus.INTERNAL_SERVER_ERROR;
    if (status === 500) {
      this.logger.error(error instanceof Error ? error : new Error(`Thrown: ${String(error)}`));
    }
    const response = host.switchToHttp().getResponse<Response>();
    if (response.headersSent) {
      // A part of the answer is out. Cutting it off is the only way left to say that it is wrong.
      if (!response.writableEnded) {
        response.locals.isBroken = true;
        response.destroy();
      }
      return;
    }
    // The handler may have meant another for its own answer.
    response.setHeader('Content-Type', 'application/json');
    response.setHeader('Cache-Control', 'no-store');
    this.adapterHost.httpAdapter.reply(response, bodyOf(error, status), status);
  }
}

function bodyOf(error: unknown, status: number): object {
  if (!(error instanceof HttpException) || status === 500) return UNFORESEEN;
  const body = error.getResponse();
  return typeof body === 'object' && 'detail' in body ? body : { detail: error.message };
}
