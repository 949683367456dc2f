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

const INTERNAL_SERVER_ERROR = { detail: 'Internal Server Error' };

/**
 * Responds to every exception in FastAPI's format: `{"detail":…}` with the exception's message, or the
 * exception's own body if it has a `detail`. The body of a 500 does not contain the cause, which is
 * logged.
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
      // Closing the connection is the only way to tell the client that the response is incomplete.
      if (!response.writableEnded) {
        response.req.state.hasFailedResponse = true;
        response.destroy();
      }
      return;
    }
    // The handler may have set these for its own response.
    response.removeHeader('Content-Type');
    response.removeHeader('Cache-Control');
    this.adapterHost.httpAdapter.reply(response, getBody(error, status), status);
  }
}

function getBody(error: unknown, status: number): object {
  if (!(error instanceof HttpException) || status === 500) return INTERNAL_SERVER_ERROR;
  const body = error.getResponse();
  return typeof body === 'object' && 'detail' in body ? body : { detail: error.message };
}
