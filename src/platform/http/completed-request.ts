import type { Request, Response } from 'express';
import type { RequestContext } from './request-context.js';

/** A request whose response is finished or aborted. */
export interface CompletedRequest {
  request: Request;
  response: Response;
  context: RequestContext;
  /** Time from the request's headers to the end of the response. */
  durationMs: number;
  /**
   * - `completed`: the response was sent.
   * - `aborted`: the client disconnected, or a time limit was exceeded, before the response was sent.
   * - `failed`: an error occurred after the response's headers had been sent.
   */
  outcome: 'completed' | 'aborted' | 'failed';
  /** Status that was sent to the client; undefined if it was aborted before that. */
  status: number | undefined;
  /** Route pattern such as `/pets/:id`, `/docs/*` for the documentation, or `unmatched`. */
  route: string;
  /** Whether the request was for the documentation. */
  isDocsRequest: boolean;
}
