import type { ServerResponse } from 'node:http';
import type { Request, Response } from 'express';

/** A request that is over. */
export interface RequestEnd {
  request: Request;
  response: Response;
  /** From its headers to the last byte of the answer, in milliseconds. */
  durationMs: number;
  /**
   * Answered, cut off before the answer was out (by the client, or by a time limit), or broken off by
   * an error in the answer.
   */
  outcome: 'completed' | 'cut off' | 'broken off';
  /** The status that the client was sent; undefined where it left before it was sent one. */
  status: number | undefined;
  /** The pattern that the path matched, such as `/pets/:id`; never the path. */
  route: string;
}

/** How a request ended, seen from its response. */
export function endOf(serverResponse: ServerResponse, durationMs: number): RequestEnd {
  // Express makes these of them, except of what is refused before it.
  const response = serverResponse as Response;
  const request = response.req;
  const locals = response.locals as { isBroken?: boolean; isDocument?: boolean } | undefined;
  // An error that is answered to nobody, because the body broke off, counts as written.
  const isCutOff = request.readableAborted || !response.writableFinished;
  const isUnanswered = isCutOff && (request.readableAborted || !response.headersSent);
  const isFoundDocument = locals?.isDocument && response.statusCode < 400;
  return {
    request,
    response,
    durationMs,
    outcome: locals?.isBroken ? 'broken off' : isCutOff ? 'cut off' : 'completed',
    status: isUnanswered && !locals?.isBroken ? undefined : response.statusCode,
    route: routeOf(request) ?? (isFoundDocument ? '/docs/*' : 'unmatched'),
  };
}

function routeOf(request: Request): string | undefined {
  return (request.route as { path: string } | undefined)?.path;
}
