import { AsyncResource } from 'node:async_hooks';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import { setImmediate, setTimeout as wait } from 'node:timers/promises';
import { endOf, type RequestEnd } from './request-end.js';

/** How often it looks, while it closes, for idle connections and for the deadline, in milliseconds. */
const SWEEP_MS = 100;

/**
 * How long nobody comes or goes at a moment at which the door can be closed, in milliseconds: more
 * than a busy machine lets a client wait for its turn. Where such a moment does not come, a shorter
 * and shorter one is taken.
 */
const QUIET_MS = 50;

/** How long it waits for such a moment, in milliseconds. */
const DOOR_LIMIT_MS = 1000;

/** One connection of a client. */
interface Connection {
  /** The responses to its requests that are not answered yet, oldest first, and when they came. */
  requests: Map<ServerResponse, number>;
  /** Whether its last request was answered before all of its body was there. */
  isInBody: boolean;
}

/**
 * What is open at the moment: the connections of the HTTP server, and their requests from the
 * first header to the last byte of the answer. It tells when a request is over, and it closes the
 * server without losing one.
 */
export class Connections {
  private readonly open = new Map<Socket, Connection>();
  private readonly observers: ((end: RequestEnd) => void)[] = [];
  private server: Server | undefined;
  private isLeaving = false;
  /** Counts what comes and goes: connections, requests and answers. */
  private movements = 0;
  /** The requests that go on when the door is closed, while it is being closed. */
  private held: (() => void)[] | undefined;

  /** How many requests are not answered yet. */
  get requests(): number {
    return [...this.open.values()].reduce((sum, { requests }) => sum + requests.size, 0);
  }

  /** The response to the last request of a connection that is not answered yet. */
  lastOf(socket: Socket): ServerResponse | undefined {
    return newest(this.open.get(socket));
  }

  /** Whether what comes now on a connection belongs to a request that is answered already. */
  isInBody(socket: Socket): boolean {
    return this.open.get(socket)?.isInBody ?? false;
  }

  /** Watches the connections of a server. */
  watch(server: Server): void {
    this.server = server;
    server.on('connection', (socket) => {
      this.movements += 1;
      this.connectionOf(socket);
    });
  }

  /** Calls `observer` once for each request, when it is over. */
  onEnd(observer: (end: RequestEnd) => void): void {
    this.observers.push(observer);
  }

  /** Middleware: notes a request, until it is answered or its connection is gone. */
  readonly track = (request: IncomingMessage, response: ServerResponse, next: () => void): void => {
    const connection = this.connectionOf(request.socket);
    const { requests } = connection;
    if (this.isLeaving) {
      // An answer that closes the connection must be its last: not the one before this.
      const previous = newest(connection);
      if (previous?.headersSent === false) previous.setHeader('Connection', 'keep-alive');
      response.setHeader('Connection', 'close');
    }
    requests.set(response, performance.now());
    connection.isInBody = false;
    response.on('close', () => {
      this.end(connection, response);
    });
    this.movements += 1;
    if (this.held)
      this.held.push(
        AsyncResource.bind(() => {
          // Nobody is to be answered who has left meanwhile, or was refused.
          if (requests.has(response) && !response.headersSent) next();
        }),
      );
    else next();
  };

  /** Lets every connection go with its next answer, which says `Connection: close`. */
  letGo(): void {
    this.isLeaving = true;
    for (const connection of this.open.values()) {
      const last = newest(connection);
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
    const deadline = performance.now() + timeoutMs;
    const seen = new Map<Socket, number>();
    let cut = 0;
    const sweep = setInterval(() => {
      const isOver = performance.now() >= deadline;
      for (const [socket, { requests }] of this.open) {
        const isIdle = requests.size === 0 && seen.get(socket) === socket.bytesRead;
        if (isOver) cut += requests.size;
        if (isOver || isIdle) socket.destroy();
        seen.set(socket, socket.bytesRead);
      }
    }, SWEEP_MS);
    await this.closeDoor();
    clearInterval(sweep);
    return cut;
  }

  /**
   * Closes the server at a moment at which nobody waits before it: connections that the system has
   * taken, and Node has not, would be reset. Answers are held until then, so that the clients that
   * come back with each answer do not. It resolves when the last connection is closed.
   */
  private async closeDoor(): Promise<void> {
    const deadline = performance.now() + DOOR_LIMIT_MS;
    const held = (this.held = [] as (() => void)[]);
    let before: number;
    let left = 1;
    do {
      before = this.movements;
      await wait(QUIET_MS * left);
      // Node takes one connection in a turn of the event loop: here it has looked for one.
      await setImmediate();
      left = (deadline - performance.now()) / DOOR_LIMIT_MS;
    } while (this.movements > before && left > 0);
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

  private connectionOf(socket: Socket): Connection {
    const known = this.open.get(socket);
    if (known) return known;
    const connection: Connection = { requests: new Map(), isInBody: false };
    if (socket.closed) return connection;
    this.open.set(socket, connection);
    socket.once('close', () => {
      this.open.delete(socket);
      // A response that waits behind others on the connection is never told that it is gone.
      for (const response of connection.requests.keys()) this.end(connection, response);
    });
    return connection;
  }

  private end(connection: Connection, response: ServerResponse): void {
    const startedAt = connection.requests.get(response);
    if (startedAt === undefined) return;
    this.movements += 1;
    connection.requests.delete(response);
    if (!response.req.complete) connection.isInBody = true;
    const end = endOf(response, performance.now() - startedAt);
    for (const observe of this.observers) observe(end);
  }
}

function newest(connection: Connection | undefined): ServerResponse | undefined {
  return connection && [...connection.requests.keys()].at(-1);
}
