import type { ServerOptions } from 'node:https';
import type { ListenOptions } from 'node:net';

/** Limits and options of the HTTP server. */
export const SERVER_OPTIONS: ServerOptions = {
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  /** Longer than load balancers keep idle connections (AWS ALB: 60 s), so that they close them first. */
  keepAliveTimeout: 65_000,
  /** How often headersTimeout and requestTimeout are checked. */
  connectionsCheckingInterval: 1000,
  /** Limits the TLS handshake, and so how long a connection without a TLS session delays the shutdown. */
  handshakeTimeout: 10_000,
  /** `findHeadError()` checks the Host header instead of Node, whose response has no body. */
  requireHostHeader: false,
};

/** Also limits how long a client that does not read its response keeps the connection. */
export const SOCKET_INACTIVITY_TIMEOUT_MS = 120_000;

/**
 * Size of the accept queue: the maximum on Linux (`net.core.somaxconn`). With Node's default of 511,
 * clients that reconnect all at once have to retry after a second.
 */
const BACKLOG = 4096;

/**
 * Converts the arguments of `listen()` of Node's servers to options: a port, the path of a Unix domain socket,
 * or options, followed by a host and a backlog, of which each may be absent.
 */
export function createListenOptions(
  address: string | number | ListenOptions,
  rest: unknown[],
  reusePort: boolean,
): ListenOptions {
  const options: ListenOptions & { reusePort: boolean } = {
    host: rest.find((value) => typeof value === 'string'),
    backlog: rest.find((value) => typeof value === 'number') ?? BACKLOG,
    reusePort,
  };
  if (typeof address === 'object') return Object.assign(options, address);
  if (Number.isNaN(Number(address))) return Object.assign(options, { path: String(address) });
  return Object.assign(options, { port: Number(address) });
}
