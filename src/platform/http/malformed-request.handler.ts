import { IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Response } from 'express';
import type {
  FastExpressAdapter,
  ServerMiddleware,
} from '../../fast-express/fast-express.adapter.js';
import type { ConnectionTracker } from '../lifecycle/connection-tracker.js';
import { findHeadError, findPathError, normalizeTarget } from './request-head.js';
import { assignRequestId } from './request-id.js';
import type { RequestTracker } from './request-tracker.js';

/** Responses to requests that Node's HTTP parser rejects, by error code. The default is 400. */
const PARSER_ERRORS = new Map<string | undefined, [status: number, detail: string]>([
  ['HPE_HEADER_OVERFLOW', [431, 'The request headers are too large']],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', [413, 'The chunk extensions of the request are too large']],
  ['ERR_HTTP_REQUEST_TIMEOUT', [408, 'The request did not arrive in time']],
]);

/**
 * Responds to malformed requests as to all others: with JSON, the default headers and a request id. They are
 * counted and logged too.
 */
export class MalformedRequestHandler {
  /** Connections on which a request was rejected. Further data on them is ignored. */
  private readonly rejectedSockets = new WeakSet<Socket>();

  constructor(
    private readonly adapter: FastExpressAdapter,
    private readonly connections: ConnectionTracker,
    private readonly requests: RequestTracker,
  ) {}

  /** Middleware that ignores requests that follow a rejected one on its connection. */
  readonly ignore: ServerMiddleware = (req, _res, next) => {
    if (!this.rejectedSockets.has(req.socket)) next();
  };

  /** Middleware that responds to a malformed request. */
  readonly respond: ServerMiddleware = (req, res, next) => {
    const headError = normalizeTarget(req) ? findHeadError(req) : 'The request target is malformed';
    if (headError !== undefined) {
      this.rejectedSockets.add(req.socket);
      res.setHeader('Connection', 'close');
    }
    const detail = headError ?? findPathError(req);
    if (detail === undefined) next();
    else this.sendError(res, 400, detail);
  };

  /** Responds to what Node's HTTP parser does not handle as a request. */
  watch(server: Server): void {
    server
      .on('connect', (req: IncomingMessage, socket: Socket) => {
        // Node stops handling the socket of a CONNECT request: an open response could never finish.
        if (this.connections.getLastResponse(socket)) socket.destroy();
        else this.sendErrorOnSocket(socket, req, 404, 'Not Found');
      })
      // Node emits 'clientError' too. No response can be sent on a connection without a TLS session.
      .prependListener('tlsClientError', (_error: Error, socket: Socket) => {
        this.rejectedSockets.add(socket);
        socket.destroy();
      })
      .on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
        this.handleParserError(error, socket);
      });
  }

  /**
   * Sends an error, if that is still possible, and closes the connection. An open response to a previous
   * request on the connection is sent first.
   */
  private handleParserError(error: NodeJS.ErrnoException, socket: Socket): void {
    // Node emits 'clientError' again for further data.
    if (this.rejectedSockets.has(socket)) return;
    this.rejectedSockets.add(socket);
    const open = this.connections.getLastResponse(socket);
    const isBodyTruncated = open?.req.complete === false && error.code === 'HPE_INVALID_EOF_STATE';
    const isResponseStarted = open
      ? open.headersSent && !open.req.complete
      : this.connections.hasUnreadBody(socket);
    if (!socket.writable || isBodyTruncated || isResponseStarted) {
      socket.destroy();
      return;
    }
    if (open?.req.complete) {
      closeAfter(open, socket);
      return;
    }
    const [status, detail] = PARSER_ERRORS.get(error.code) ?? [400, 'The request is malformed'];
    if (open) {
      closeAfter(open, socket);
      this.sendError(open, status, detail);
    } else {
      this.sendErrorOnSocket(socket, new IncomingMessage(socket), status, detail);
    }
  }

  /** Sends an error on a connection for which Node has created no response. */
  private sendErrorOnSocket(
    socket: Socket,
    request: IncomingMessage,
    status: number,
    detail: string,
  ): void {
    const response = this.adapter.createResponse(request);
    response.assignSocket(socket);
    closeAfter(response, socket);
    assignRequestId(request, response, () => {
      this.requests.track(request, response, () => {
        this.sendError(response, status, detail);
      });
    });
  }

  private sendError(response: ServerResponse, status: number, detail: string): void {
    this.adapter.reply(response as Response, { detail }, status);
  }
}

/** Closes a connection after a response. */
function closeAfter(response: ServerResponse, socket: Socket): void {
  if (!response.headersSent) response.setHeader('Connection', 'close');
  // Node may have removed its own listener. A client that has disconnected is not an error.
  socket.on('error', () => undefined);
  response.once('finish', () => {
    socket.destroySoon();
  });
}
