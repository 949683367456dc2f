import { AsyncResource } from 'node:async_hooks';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import { setImmediate, setTimeout as wait } from 'node:timers/promises';
import { Server as TlsServer } from 'node:tls';
import { Injectable } from '@nestjs/common';

/** Interval at which {@link ConnectionTracker.close} closes idle connections. */
const SWEEP_INTERVAL_MS = 100;

/** How long a new connection may take to send data before it is considered idle. */
const FIRST_BYTE_TIMEOUT_MS = 1000;

/** How long no connection or request may arrive before the listener is closed. */
const QUIET_PERIOD_MS = 50;

/**
 * After this time the listener is closed in any case. Until then, the required quiet period shrinks from
 * {@link QUIET_PERIOD_MS} to zero.
 */
const QUIET_PERIOD_TIMEOUT_MS = 1000;

/** How long the client of a WebSocket may take to respond to the close frame. */
const WEB_SOCKET_CLOSE_TIMEOUT_MS = 1000;

/** Close frame of the WebSocket protocol with the code 1001 (RFC 6455): the server is going away. */
const GOING_AWAY = Buffer.from([0x88, 2, 1001 >> 8, 1001 & 0xff]);

interface Connection {
  /** Time at which it was accepted, as `performance.now()`. */
  acceptedAt: number;
  /** The callback of each open response, oldest first. */
  responses: Map<ServerResponse, () => void>;
  /** Whether the last response was finished before its request's body was received. */
  hasUnreadBody: boolean;
  /** Whether it was upgraded to a WebSocket. */
  isWebSocket: boolean;
  /** Time at which the WebSocket's close frame was sent, as `performance.now()`. */
  closeFrameSentAt: number | undefined;
}

/** Tracks the connections of an HTTP server and their open requests, and closes them gracefully. */
@Injectable()
export class ConnectionTracker {
  private readonly connections = new Map<Socket, Connection>();
  private server: Server | undefined;
  private isClosingAfterResponse = false;
  /** Number of connections, requests and finished responses so far. */
  private activity = 0;
  /** Handlers of the requests that arrive while the listener is being closed. Undefined at other times. */
  private deferred: (() => void)[] | undefined;

  /** Number of open requests. */
  get openRequests(): number {
    let count = 0;
    for (const { responses } of this.connections.values()) count += responses.size;
    return count;
  }

  /** Tracks the connections of a server. */
  watch(server: Server): void {
    this.server = server;
    const event = server instanceof TlsServer ? 'secureConnection' : 'connection';
    server.on(event, (socket: Socket) => {
      this.activity += 1;
      this.getConnection(socket);
    });
    const watchUpgrades = () => {
      server.on('upgrade', ({ headers }: IncomingMessage, socket: Socket) => {
        this.getConnection(socket).isWebSocket = headers.upgrade?.toLowerCase() === 'websocket';
      });
    };
    // Node handles upgrade requests as ordinary requests, unless there is a listener for 'upgrade'. This one is
    // therefore added only after the listener of a WebSocket library.
    const watchUpgradesOnce = (name: string) => {
      if (name !== 'upgrade') return;
      server.off('newListener', watchUpgradesOnce);
      watchUpgrades();
    };
    if (server.listenerCount('upgrade') > 0) watchUpgrades();
    else server.on('newListener', watchUpgradesOnce);
  }

  /**
   * Tracks a request until its response is closed.
   *
   * @param onClose is called once, when the response is finished or its connection is lost
   */
  track(response: ServerResponse, onClose: () => void): void {
    const { req } = response;
    const { socket } = req;
    const connection = this.getConnection(socket);
    if (this.isClosingAfterResponse) {
      // Of several pipelined responses, only the last one may have `Connection: close`.
      const previous = getLast(connection);
      if (previous?.headersSent === false) previous.setHeader('Connection', 'keep-alive');
      response.setHeader('Connection', 'close');
    }
    connection.responses.set(response, onClose);
    connection.hasUnreadBody = false;
    response.on('close', () => {
      if (!req.complete) discardBodyAfterStop(req, socket);
      this.endResponse(connection, response);
    });
    this.activity += 1;
  }

  /** Calls the handler of a request. While the listener is being closed, calls it after that. */
  handle(response: ServerResponse, handler: () => void): void {
    if (this.deferred === undefined) {
      handler();
      return;
    }
    const { responses } = this.getConnection(response.req.socket);
    this.deferred.push(
      AsyncResource.bind(() => {
        // The client may have disconnected, or its request may have been rejected meanwhile.
        if (responses.has(response) && !response.headersSent) handler();
      }),
    );
  }

  /** Returns the response to the last open request of a connection. */
  getLastResponse(socket: Socket): ServerResponse | undefined {
    const connection = this.connections.get(socket);
    return connection && getLast(connection);
  }

  /** Returns whether data on a connection belongs to a request whose response is finished. */
  hasUnreadBody(socket: Socket): boolean {
    return this.connections.get(socket)?.hasUnreadBody ?? false;
  }

  /** Adds `Connection: close` to the next response of each connection. */
  closeAfterResponse(): void {
    this.isClosingAfterResponse = true;
    for (const connection of this.connections.values()) {
      const last = getLast(connection);
      if (last?.headersSent === false) last.setHeader('Connection', 'close');
    }
  }

  /**
   * Closes the listener and idle connections, and waits for open requests. Event streams and WebSockets are
   * ended once the listener is closed: their clients reconnect to another process.
   *
   * @param timeoutMs time after which open requests are aborted
   * @returns the number of aborted requests
   */
  async close(timeoutMs: number): Promise<number> {
    const deadline = performance.now() + timeoutMs;
    const bytesRead = new Map<Socket, number>();
    let aborted = 0;
    const sweep = setInterval(() => {
      const now = performance.now();
      const isOverdue = now >= deadline;
      if (this.server?.listening === false) this.endStreams();
      for (const [socket, connection] of this.connections) {
        const { responses, acceptedAt, isWebSocket, closeFrameSentAt = Infinity } = connection;
        const isNew = socket.bytesRead === 0 && now - acceptedAt < FIRST_BYTE_TIMEOUT_MS;
        const isIdle = isWebSocket
          ? now - closeFrameSentAt > WEB_SOCKET_CLOSE_TIMEOUT_MS
          : responses.size === 0 && bytesRead.get(socket) === socket.bytesRead && !isNew;
        if (isOverdue) aborted += responses.size;
        if (isOverdue || isIdle) socket.destroy();
        bytesRead.set(socket, socket.bytesRead);
      }
    }, SWEEP_INTERVAL_MS);
    await this.closeListener();
    clearInterval(sweep);
    return aborted;
  }

  /**
   * Waits until no connection or request has arrived for a while, and then closes the listener: the kernel resets
   * connections that are still in the accept queue. Requests that arrive before that are handled after it,
   * because their responses close the connection, and their clients would open new ones. Resolves when
   * the last connection is closed.
   */
  private async closeListener(): Promise<void> {
    const deadline = performance.now() + QUIET_PERIOD_TIMEOUT_MS;
    const deferred = (this.deferred = [] as (() => void)[]);
    let activity: number;
    let remainingShare = 1;
    do {
      activity = this.activity;
      await wait(QUIET_PERIOD_MS * remainingShare);
      // The poll phase of the event loop, which accepts connections, precedes setImmediate().
      await setImmediate();
      remainingShare = (deadline - performance.now()) / QUIET_PERIOD_TIMEOUT_MS;
    } while (this.activity > activity && remainingShare > 0);
    const closed = new Promise<void>((resolve) => {
      // http.Server.close() also closes idle connections, whose next request may be on its way.
      NetServer.prototype.close.call(this.server, () => {
        resolve();
      });
    });
    this.deferred = undefined;
    this.endStreams();
    for (const handler of deferred) handler();
    await closed;
  }

  private endStreams(): void {
    for (const [socket, connection] of this.connections) {
      if (connection.isWebSocket) {
        // The WebSocket library closes the connection when the client responds.
        if (connection.closeFrameSentAt === undefined) socket.write(GOING_AWAY);
        connection.closeFrameSentAt ??= performance.now();
      }
      for (const response of connection.responses.keys()) {
        if (response.writableEnded || !isEventStream(response)) continue;
        // The handler may write further events before it is notified that the response is closed.
        response.on('error', () => undefined).end();
      }
    }
  }

  private getConnection(socket: Socket): Connection {
    const known = this.connections.get(socket);
    if (known) return known;
    const connection: Connection = {
      acceptedAt: performance.now(),
      responses: new Map(),
      hasUnreadBody: false,
      isWebSocket: false,
      closeFrameSentAt: undefined,
    };
    if (socket.closed) return connection;
    this.connections.set(socket, connection);
    socket.once('close', () => {
      this.connections.delete(socket);
      // Node.js emits no 'close' on a response that is queued behind others of a lost connection.
      for (const response of connection.responses.keys()) this.endResponse(connection, response);
    });
    return connection;
  }

  private endResponse(connection: Connection, response: ServerResponse): void {
    const onClose = connection.responses.get(response);
    if (onClose === undefined) return;
    this.activity += 1;
    connection.responses.delete(response);
    if (!response.req.complete) connection.hasUnreadBody = true;
    onClose();
  }
}

/**
 * Discards the rest of a body when its handler stops reading it. Node.js would not read the next request of the
 * connection, which follows it.
 */
function discardBodyAfterStop(request: IncomingMessage, socket: Socket): void {
  if (!request.closed) {
    request.once('close', () => {
      discardBodyAfterStop(request, socket);
    });
  } else if (!request.complete && !socket.destroyed) {
    request.push = () => true;
    socket.resume();
  }
}

function isEventStream(response: ServerResponse): boolean {
  return (
    response.headersSent &&
    /^text\/event-stream\b/i.test(String(response.getHeader('Content-Type')))
  );
}

function getLast({ responses }: Connection): ServerResponse | undefined {
  let last: ServerResponse | undefined;
  for (const response of responses.keys()) last = response;
  return last;
}
