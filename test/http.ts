import { type Agent, type IncomingHttpHeaders, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import type { NestExpressApplication } from '@nestjs/platform-express';

/** What came back, with the body as it was. */
export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** The port that an application listens on. */
export function portOf(app: NestExpressApplication): number {
  return (app.getHttpServer().address() as AddressInfo).port;
}

/**
 * Sends a request to the byte as it is given, on a connection of its own unless there is an agent:
 * supertest would add a content type, and quote or reject what it does not understand.
 */
export function send(
  app: NestExpressApplication,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body: Buffer | string = '',
  agent: Agent | false = false,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request({
      host: '127.0.0.1',
      port: portOf(app),
      method,
      path,
      agent,
      headers: { 'Content-Length': Buffer.byteLength(body), ...headers },
    })
      .on('error', reject)
      .on('response', (response) => {
        text(response)
          .then((body) => ({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: body,
          }))
          .then(resolve, reject);
      })
      .end(body);
  });
}

/** Writes bytes to a connection and collects what comes back until the server closes it. */
export async function sendRaw(
  app: NestExpressApplication,
  bytes: string | Buffer,
): Promise<string> {
  const socket = connect(portOf(app), '127.0.0.1');
  socket.write(bytes);
  return text(socket);
}
