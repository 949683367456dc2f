import { StreamableFile } from '@nestjs/common';
import type { Response } from 'express';
import { runInRequestContext } from './request-context.js';
import { requestState } from './request-state.js';

/** Source of the error handler of a `StreamableFile` whose author has set none. Each file has its own function. */
const DEFAULT_ERROR_HANDLER = String(new StreamableFile(Buffer.alloc(0)).errorHandler);

/**
 * Passes errors of a file to the error filter as long as it can respond, unless the author has set an error
 * handler. Nest's own handler responds with 400 as text.
 */
export function handleFileErrors(file: StreamableFile, response: Response): void {
  const { errorHandler } = file;
  if (String(errorHandler) !== DEFAULT_ERROR_HANDLER) return;
  file.setErrorHandler((error) => {
    if (response.destroyed) return;
    const { req } = response;
    // The stream may emit its error outside of the request's context.
    runInRequestContext(req[requestState], () => {
      if (response.headersSent) {
        req[requestState].hasFailedResponse = !response.writableEnded;
        errorHandler(error, response);
      } else {
        req.next?.(error);
      }
    });
  });
}
