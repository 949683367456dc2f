import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import { setImmediate, setTimeout as wait } from 'node:timers/promises';
import { endOf, type RequestEnd } from './request-end.js';

/** How often idle connections are looked for while the server closes, in milliseconds. */
const IDLE_CHECK_MS = 100;

/** How long nobody comes or goes at a moment at which the door can be closed, in milliseconds. */
const QUIET_MS = 5;

/** How long requests may be held until there is such a moment, in milliseconds. */
const HOLD_LIMIT_MS = 250;

/** The requests of one connection that are not answered yet, oldest first, and when they came. */
type OpenRequests = Map<ServerResponse, number>;

/**
 * What is open at the moment: the connections of the HTTP server, and their requests from the
 * first header to the last byte of the answer. It tells when a request is over, and it closes the
 * server without losing one.
 */
export class Connections {
  private readonly open = new Map<Socket, OpenRequests>();
  private readonly observers: ((end: RequestEnd) => void)[] = [];
  private server: Server | undefined;
  private isLeaving = false;
  /** Counts what comes and goes: connections, requests and answers. */
  private movements = 0;
  /** The requests that go on when the door is closed, while it is being closed. */
  private held: (() => void)[] | undefined;

  /** How many requests are not answered yet. */
  get requests(): number {
    return [...this.open.values()].reduce((sum, requests) => sum + requests.size, 0);
  }

  /** The response to the last request of a connection that is not answered yet. */
  lastOf(socket: Socket): ServerResponse | undefined {
    return newest(this.open.get(socket));
  }

  /** Watches the connections of a server. */
  watch(server: Server): void {
    this.server = server;
    server.on('connection', (socket) => {
      this.movements += 1;
      this.requestsOf(socket);
    });
  }

  /** Calls `observer` once for each request, when it is over. */
  onEnd(observer: (end: RequestEnd) => void): void {
    this.observers.push(observer);
  }

  /** Middleware: notes a request, until it is answered or its connection is gone. */
  readonly track = (request: IncomingMessage, response: ServerResponse, next: () => void): void => {
    const open = this.requestsOf(request.socket);
    if (this.isLeaving) {
      // An answer that closes the connection must be its last: not the one before this.
      const previous = newest(open);
      if (previous?.headersSent === false) previous.setHeader('Connection', 'keep-alive');
      response.setHeader('Connection', 'close');
    }
    open.set(response, performance.now());
    response.once('close', () => {
      this.end(open, response);
    });
    this.movements += 1;
    if (this.held) this.held.push(next);
    else next();
  };

  /** Lets every connection go with its next answer, which says `Connection: close`. */
  letGo(): void {
    this.isLeaving = true;
    for (const open of this.open.values()) {
      const last = newest(open);
      if (last?.headersSent === false) last.setHeader('Connection', 'close');
    }
  }

  /**
   * Takes no more connections, closes those that bring nothing, and waits for the requests that are
   * open. What is left at the deadline is cut off.
   *
   * @param timeoutMs how long the requests may take, in milliseconds
   * @returns how many requests were cut off
   */
  async close(timeoutMs: number): Promise<number> {
    let cut = 0;
    const deadline = setTimeout(() => {
      cut = this.requests;
      for (const socket of this.open.keys()) socket.destroy();
    }, timeoutMs);
    const seen = new Map<Socket, number>();
    const idleCheck = setInterval(() => {
      for (const [socket, requests] of this.open) {
        if (requests.size === 0 && seen.get(socket) === socket.bytesRead) socket.destroy();
        seen.set(socket, socket.bytesRead);
      }
    }, IDLE_CHECK_MS);
    await this.closeDoor();
    clearTimeout(deadline);
    clearInterval(idleCheck);
    return cut;
  }

  /**
   * Closes the server at a moment at which nobody waits before it: connections that the system has
   * taken, and Node has not, would be reset. Answers are held until then, so that the clients that
   * come back with each answer do not. It resolves when the last connection is closed.
   */
  private async closeDoor(): Promise<void> {
    const deadline = performance.now() + HOLD_LIMIT_MS;
    const held = (this.held = [] as (() => void)[]);
    let before: number;
    do {
      before = this.movements;
      await wait(QUIET_MS);
      // Node takes one connection in a turn of the event loop: here it has looked for one.
      await setImmediate();
    } while (this.movements > before && performance.now() < deadline);
    const closed = new Promise<void>((resolve) => {
      // http.Server's own close() would at once reset the clients that are about to ask.
      NetServer.prototype.close.call(this.server, () => {
        resolve();
      });
    });
    this.held = undefined;
    for (const next of held) next();
    await closed;
  }

  private requestsOf(socket: Socket): OpenRequests {
    const known = this.open.get(socket);
    if (known) return known;
    const open: OpenRequests = new Map();
    if (socket.closed) return open;
    this.open.set(socket, open);
    socket.once('close', () => {
      this.open.delete(socket);
      // A response that waits behind others on the connection is never told that it is gone.
      for (const response of open.keys()) this.end(open, response);
    });
    return open;
  }

  private end(open: OpenRequests, response: ServerResponse): void {
    const startedAt = open.get(response);
    if (startedAt === undefined) return;
    this.movements += 1;
    open.delete(response);
    const end = endOf(response, performance.now() - startedAt);
    for (const observe of this.observers) observe(end);
  }
}

function newest(open: OpenRequests | undefined): ServerResponse | undefined {
  return open && [...open.keys()].at(-1);
}
