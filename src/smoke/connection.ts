import { randomUUID } from 'node:crypto';
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import type { Options } from './options.js';

/** More than any answer of the service, and little enough to be held. */
const BODY_LIMIT = 4 * 1024 ** 2;

/** With what the ids of the runner's requests begin. */
export const REQUEST_ID_PREFIX = 'petsage-smoke-';

/** A request, as the runner sends it. */
export interface Sent {
  method: string;
  path: string;
  /** JSON. */
  body?: string;
}

/** A request and its whole answer. */
export interface Exchange extends Sent {
  requestId: string;
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** It went out on the connection on which the request before it did. */
  isReused: boolean;
}

/** There was no whole answer, or none that says what was asked. The message says what came instead. */
export class NoAnswer extends Error {
  /** @param isRefusal there was an answer, and to ask again would bring the same */
  constructor(
    message: string,
    readonly isRefusal = false,
  ) {
    super(message);
  }
}

/** A connection to the target, on which requests go out one after the other. */
export class Connection {
  private readonly agent: Agent;

  constructor(private readonly options: Pick<Options, 'url' | 'headers' | 'timeoutMs'>) {
    const kept = { keepAlive: true, maxSockets: 1 };
    this.agent = this.isTls ? new TlsAgent(kept) : new Agent(kept);
  }

  /**
   * Sends a request and waits for the whole answer. Redirects are not followed.
   *
   * @throws NoAnswer when it does not come in time, breaks off, or is larger than 4 MiB
   */
  async send({ method, path, body }: Sent): Promise<Exchange> {
    const { url, timeoutMs } = this.options;
    const requestId = REQUEST_ID_PREFIX + randomUUID();
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const outgoing = (this.isTls ? tlsRequest : request)(url + path, {
        method,
        agent: this.agent,
        signal,
        headers: {
          Accept: 'application/json, */*;q=0.1',
          'User-Agent': 'petsage-smoke',
          ...Object.fromEntries(this.options.headers),
          'X-Request-Id': requestId,
          ...(body !== undefined && {
            'Content-Type': 'application/json',
            'Content-Length': Buffer.byteLength(body),
          }),
        },
      });
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        outgoing
          .on('response', resolve)
          .on('error', reject)
          .on('upgrade', (_, socket) => {
            socket.destroy();
            reject(new NoAnswer('a change to another protocol'));
          })
          .on('close', () => {
            reject(new NoAnswer('that the connection was broken off'));
          })
          .end(body);
      });
      const { statusCode: status = 0, headers } = response;
      const text = await read(response);
      const isReused = outgoing.reusedSocket;
      return { method, path, body, requestId, status, headers, text, isReused };
    } catch (error) {
      if (error instanceof NoAnswer) throw error;
      throw new NoAnswer(signal.aborted ? `no answer within ${timeoutMs} ms` : describe(error));
    }
  }

  close(): void {
    this.agent.destroy();
  }

  private get isTls(): boolean {
    return this.options.url.startsWith('https:');
  }
}

async function read(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    // Leaving the loop ends the connection.
    if (length > BODY_LIMIT) throw new NoAnswer('an answer of more than 4 MiB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

const WORDS: Record<string, string> = {
  ECONNREFUSED: 'that the connection was refused',
  ECONNRESET: 'that the connection was broken off',
  ENOTFOUND: 'no such host',
  EPIPE: 'that the connection was broken off',
};

function describe(error: unknown): string {
  // With several addresses of one host, all errors are in one.
  const [first = error] = error instanceof AggregateError ? (error.errors as unknown[]) : [];
  const { code = '', message } = first as NodeJS.ErrnoException;
  return WORDS[code] ?? `${message}${code && ` (${code})`}`;
}
