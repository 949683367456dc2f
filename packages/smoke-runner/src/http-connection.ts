import { randomUUID } from 'node:crypto';
import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import type { Options } from './options.js';
import { ResponseError } from './run-error.js';

/** The request ids of all runs start with this. */
export const REQUEST_ID_PREFIX = 'petsage-smoke-';

export interface HttpRequest {
  method: string;
  path: string;
  /** JSON. */
  body?: string;
}

export interface HttpResponse {
  /** The `X-Request-Id` of the request. */
  requestId: string;
  status: number;
  headers: IncomingHttpHeaders;
  /** The body. Empty for an event stream, which may never end. */
  text: string;
  /** Time until the response was complete, rounded up. Includes connecting on a new connection. */
  durationMs: number;
  /** Whether the request was sent on the connection of the request before it. */
  isConnectionReused: boolean;
}

/** A keep-alive connection to the target. */
export class HttpConnection {
  private readonly protocol: typeof http | typeof https;
  private readonly agent: http.Agent;

  constructor(private readonly options: Pick<Options, 'url' | 'headers' | 'ca' | 'timeoutMs'>) {
    this.protocol = options.url.startsWith('https:') ? https : http;
    this.agent = new this.protocol.Agent({ keepAlive: true, maxSockets: 1, ca: options.ca });
  }

  /**
   * Sends a request and reads the complete response, but only the headers of an event stream, which also
   * closes the connection. Does not follow redirects.
   *
   * @throws ResponseError
   */
  async send({ method, path, body }: HttpRequest): Promise<HttpResponse> {
    const { url, headers, timeoutMs } = this.options;
    const requestId = REQUEST_ID_PREFIX + randomUUID();
    const signal = AbortSignal.timeout(timeoutMs);
    const startTime = performance.now();
    try {
      const request = this.protocol.request(url + path, {
        method,
        agent: this.agent,
        signal,
        headers: {
          Accept: 'application/json, */*;q=0.1',
          'User-Agent': 'petsage-smoke',
          ...Object.fromEntries(headers),
          'X-Request-Id': requestId,
          ...(body !== undefined && {
            'Content-Type': 'application/json',
            'Content-Length': Buffer.byteLength(body),
          }),
        },
      });
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        request.on('response', resolve).on('error', reject).end(body);
      });
      if (isEventStream(response)) response.destroy();
      return {
        requestId,
        status: response.statusCode ?? 0,
        headers: response.headers,
        text: isEventStream(response) ? '' : await text(response),
        durationMs: Math.ceil(performance.now() - startTime),
        isConnectionReused: request.reusedSocket,
      };
    } catch (error) {
      const reason = signal.aborted ? `none within ${timeoutMs} ms` : describeError(error);
      throw new ResponseError(`expected a response, got ${reason}`);
    }
  }

  close(): void {
    this.agent.destroy();
  }
}

function isEventStream({ headers }: IncomingMessage): boolean {
  return /^text\/event-stream\b/i.test(headers['content-type'] ?? '');
}

function describeError(error: unknown): string {
  // A host with several addresses fails with one error for each address.
  const [first = error] = error instanceof AggregateError ? (error.errors as unknown[]) : [];
  const { code = '', message } = first as NodeJS.ErrnoException;
  if (/SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/.test(code)) {
    return 'a certificate of an unknown CA. Add the CA with --cacert.';
  }
  // OpenSSL reports this for a response that is not TLS.
  return message.includes('wrong version number')
    ? 'one without TLS. Use http:// instead of https:// in the URL.'
    : message;
}
