import { once } from 'node:events';
import { createServer, ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import express, { type Response } from 'express';
import { type HeaderField, createMessageClasses } from './message-classes.js';

const DEFAULT_HEADERS: HeaderField[] = [
  ['X-One', '1'],
  ['X-Two', '2; b'],
];

const REQUESTS = ['GET / HTTP/1.1', 'HEAD / HTTP/1.1', 'GET / HTTP/1.0'].map(
  (line) => `${line}\r\nHost: a\r\nConnection: close\r\n\r\n`,
);

/** Changes or reads a response. The return value is part of the comparison. */
type Handler = (response: ServerResponse) => unknown;

/**
 * Calls a handler for a request and returns all that it can observe, the sorted lines of the head
 * that was sent, and the body.
 *
 * @param isReference whether `setHeader()` sets the default headers, instead of the classes
 */
async function observe(
  isReference: boolean,
  handle: Handler,
  request = REQUESTS[0],
): Promise<unknown[]> {
  const result: unknown[] = [];
  const options = isReference ? {} : createMessageClasses(express(), DEFAULT_HEADERS);
  const server = createServer(options, (_request, response) => {
    response.sendDate = false;
    if (isReference) for (const [name, value] of DEFAULT_HEADERS) response.setHeader(name, value);
    try {
      const returned = handle(response);
      result.push(returned === response ? 'the response' : returned);
    } catch (error) {
      result.push(String(error));
    }
    result.push(response.getHeaderNames().toSorted(), response.getRawHeaderNames().toSorted());
    result.push(response.getHeaders());
    response.end('body');
    result.push(response.getHeader('X-One'), response.hasHeader('x-two'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write(String(request));
  const [head = '', body] = (await text(socket)).split('\r\n\r\n');
  server.close();
  return [...result, head.split('\r\n').toSorted(), body];
}

describe('createMessageClasses', () => {
  it.each<[string, Handler]>([
    ['does nothing', () => undefined],
    ['sets other headers', (res) => res.setHeader('X-Own', 'a').setHeader('x-list', ['a', 'b'])],
    ['replaces a default header', (res) => res.setHeader('x-one', 'other')],
    ['replaces a default header by a list', (res) => res.setHeader('X-Two', ['a', 'b'])],
    ['appends to a default header', (res) => res.appendHeader('X-One', 'more')],
    [
      'sets headers from a Map',
      (res) =>
        res.setHeaders(
          new Map([
            ['X-One', 'a'],
            ['X-New', 'b'],
          ]),
        ),
    ],
    [
      'sets headers from Headers',
      (res) => res.setHeaders(new Headers({ 'x-one': 'a', 'x-new': 'b' })),
    ],
    [
      'removes a default header',
      (res) => {
        res.removeHeader('X-TWO');
      },
    ],
    [
      'removes another header',
      (res) => {
        res.removeHeader('X-Other');
      },
    ],
    [
      'removes a default header and sets it again',
      (res) => {
        res.removeHeader('X-One');
        res.setHeader('X-One', 'again');
      },
    ],
    [
      'reads headers',
      (res) => [
        res.getHeader('x-one'),
        res.getHeader('X-None'),
        res.hasHeader('X-TWO'),
        res.hasHeader('X'),
      ],
    ],
    ['reads a replaced header', (res) => res.setHeader('X-One', 'b').getHeader('x-one')],
    ['calls writeHead() with a status', (res) => res.writeHead(201)],
    ['calls writeHead() with a reason', (res) => res.writeHead(201, 'Why')],
    ['calls writeHead() with headers', (res) => res.writeHead(202, { 'x-one': 'c', 'X-Own': 'd' })],
    [
      'calls writeHead() with a list of headers',
      (res) => res.writeHead(202, ['X-Two', 'c', 'X-Own', 'd']),
    ],
    [
      'calls writeHead() with a reason and headers',
      (res) => res.writeHead(202, 'Why', { 'X-One': 'c' }),
    ],
    ['calls writeHead() with undefined headers', (res) => res.writeHead(200, undefined)],
    [
      'calls writeHead() with a duplicate header',
      (res) => res.writeHead(200, ['X-One', 'a', 'X-One', 'b']),
    ],
    ['calls writeHead() with a list of odd length', (res) => res.writeHead(200, ['X-One'])],
    ['calls writeHead() with an invalid status', (res) => res.writeHead(42)],
    ['responds with 204', (res) => res.writeHead(204)],
    ['responds with 304', (res) => (res.statusCode = 304)],
    [
      'sends 100 Continue',
      (res) => {
        res.writeContinue();
      },
    ],
    [
      'reads a header after the head is sent',
      (res) => {
        res.flushHeaders();
        return res.getHeader('X-One');
      },
    ],
    [
      'sets a header after the head is sent',
      (res) => {
        res.flushHeaders();
        res.setHeader('X-One', 'late');
      },
    ],
    [
      'removes a header after the head is sent',
      (res) => {
        res.flushHeaders();
        res.removeHeader('X-One');
      },
    ],
    ['sets a header with an invalid name', (res) => res.setHeader('X One', 'a')],
    ['sets a header without a name', (res) => res.setHeader(undefined as unknown as string, 'a')],
    [
      'sets a header without a value',
      (res) => res.setHeader('X-One', undefined as unknown as string),
    ],
  ])('matches setHeader() when a handler %s', async (_, handle) => {
    for (const request of REQUESTS) {
      expect(await observe(false, handle, request)).toEqual(await observe(true, handle, request));
    }
  });

  /** Compares only what was sent: other prototypes cannot read the default headers. */
  async function expectSameResponse(handle: Handler, reference: Handler): Promise<void> {
    for (const request of REQUESTS) {
      const observed = await observe(false, handle, request);
      const expected = await observe(true, reference, request);
      expect(observed.slice(-2)).toEqual(expected.slice(-2));
    }
  }

  it.each<[string, Handler]>([
    ['does nothing', () => undefined],
    ['replaces a default header', (res) => res.setHeader('x-one', 'other')],
    ['calls writeHead() with headers', (res) => res.writeHead(200, { 'x-one': 'a' })],
    ['calls writeHead() with a list', (res) => res.writeHead(200, ['x-one', 'a'])],
  ])('sends default headers when another Express application %s', async (_, handle) => {
    const handleInOther: Handler = (res) =>
      handle(Object.setPrototypeOf(res, express().response) as Response);
    await expectSameResponse(handleInOther, handle);
  });

  it('sends default headers once when another application has the same ones', async () => {
    const other = express();
    createMessageClasses(other, DEFAULT_HEADERS);
    const handle: Handler = (res) => Object.setPrototypeOf(res, other.response) as Response;
    await expectSameResponse(handle, () => undefined);
  });

  it('falls back to setHeader() when Node ignores additions to the status line', async () => {
    const above = Object.getPrototypeOf(ServerResponse.prototype) as ServerResponse;
    ServerResponse.prototype._storeHeader = function (firstLine, headers) {
      above._storeHeader.call(this, `${firstLine.split('\r\n', 1)[0] ?? ''}\r\n`, headers);
    };
    try {
      const expected = await observe(true, () => undefined);
      expect(await observe(false, () => undefined)).toEqual(expected);
    } finally {
      Reflect.deleteProperty(ServerResponse.prototype, '_storeHeader');
    }
  });
});
