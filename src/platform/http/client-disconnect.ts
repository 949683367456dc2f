import type { Socket } from 'node:net';
import type { Response } from 'express';

/**
 * Returns whether the client has disconnected before its body was read.
 *
 * A request is aborted too if a handler stops reading it in `pipeline()` or `for await`. The response can still be sent.
 */
export function hasDisconnectedDuringUpload(response: Response): boolean {
  const request = response.req;
  // pipeline() removes the socket of a request, and a queued response has none.
  const sockets: (Socket | null)[] = [response.socket, request.socket];
  return request.readableAborted && sockets.some((socket) => socket?.destroyed);
}
