import { once } from 'node:events';
import { createServer, ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import express, { type Response } from 'express';
import { type HeaderField, createMessageClasses } from './message-classes.js';

const STANDING: HeaderField[] = [
  ['X-One', '1'],
  ['X-Two', '2; b'],
];

const REQUESTS = ['GET / HTTP/1.1', 'HEAD / HTTP/1.1', 'GET / HTTP/1.0'].map(
  (line) => `${line}\r\nHost: a\r\nConnection: close\r\n\r\n`,
);

/** What a handler does with a response; what it returns is what it has read of it. */
type Handler = (response: ServerResponse) => unknown;

/** What a handler has read, and the head that was sent with its lines sorted, and the body. */
async function resultOf(isStanding: boolean, handle: Handler, request: string): Promise<unknown[]> {
  const result: unknown[] = [];
  const options = isStanding ? createMessageClasses(express(), STANDING) : {};
  const server = createServer(options, (_request, response) => {
    response.sendDate = false;
    if (!isStanding) for (const [name, value] of STANDING) response.setHeader(name, value);
    try {
      const read = handle(response);
      result.push(read === response ? 'itself' : read);
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
  socket.write(request);
  const [head = '', body] = (await text(socket)).split('\r\n\r\n');
  server.close();
  return [...result, head.split('\r\n').toSorted(), body];
}

describe('a response with standing headers is like one that has set them', () => {
  it.each<[string, Handler]>([
    ['untouched', () => undefined],
    [
      'with headers of its own',
      (res) => res.setHeader('X-Own', 'a').setHeader('x-list', ['a', 'b']),
    ],
    ['that sets one of them', (res) => res.setHeader('x-one', 'other')],
    ['that adds to one of them', (res) => res.appendHeader('X-One', 'more')],
    [
      'that sets several',
      (res) =>
        res.setHeaders(
          new Map([
            ['X-One', 'a'],
            ['X-New', 'b'],
          ]),
        ),
    ],
    [
      'that removes one',
      (res) => {
        res.removeHeader('X-TWO');
      },
    ],
    [
      'that removes another',
      (res) => {
        res.removeHeader('X-Other');
      },
    ],
    [
      'that reads',
      (res) => [
        res.getHeader('x-one'),
        res.getHeader('X-None'),
        res.hasHeader('X-TWO'),
        res.hasHeader('X'),
      ],
    ],
    ['that reads what it has set', (res) => res.setHeader('X-One', 'b').getHeader('x-one')],
    [
      'that writes its head',
      (res) => {
        res.writeHead(201);
      },
    ],
    [
      'that writes its head and says why',
      (res) => {
        res.writeHead(201, 'Why');
      },
    ],
    [
      'that writes headers',
      (res) => {
        res.writeHead(202, { 'x-one': 'c', 'X-Own': 'd' });
      },
    ],
    [
      'that writes a list of headers',
      (res) => {
        res.writeHead(202, ['X-Two', 'c', 'X-Own', 'd']);
      },
    ],
    [
      'that writes headers and says why',
      (res) => {
        res.writeHead(202, 'Why', { 'X-One': 'c' });
      },
    ],
    [
      'without a body',
      (res) => {
        res.writeHead(204);
      },
    ],
    [
      'that is flushed',
      (res) => {
        res.flushHeaders();
        return res.getHeader('X-One');
      },
    ],
    [
      'that sets one too late',
      (res) => {
        res.flushHeaders();
        res.setHeader('X-One', 'late');
      },
    ],
    [
      'that removes one too late',
      (res) => {
        res.flushHeaders();
        res.removeHeader('X-One');
      },
    ],
    ['that sets a header that is none', (res) => res.setHeader('X One', 'a')],
    ['that sets one without a name', (res) => res.setHeader(undefined as unknown as string, 'a')],
    [
      'that sets one without a value',
      (res) => res.setHeader('X-One', undefined as unknown as string),
    ],
    [
      'that sets what it has removed',
      (res) => {
        res.removeHeader('X-One');
        res.setHeader('X-One', 'again');
      },
    ],
    ['that sets a list', (res) => res.setHeader('X-Two', ['a', 'b'])],
    [
      'that takes them from fetch',
      (res) => res.setHeaders(new Headers({ 'x-one': 'a', 'x-new': 'b' })),
    ],
    [
      'that writes no headers',
      (res) => {
        res.writeHead(200, undefined);
      },
    ],
    [
      'that writes a header twice',
      (res) => {
        res.writeHead(200, ['X-One', 'a', 'X-One', 'b']);
      },
    ],
    [
      'that writes an odd list',
      (res) => {
        res.writeHead(200, ['X-One']);
      },
    ],
    [
      'with a wrong status',
      (res) => {
        res.writeHead(42);
      },
    ],
    [
      'not modified',
      (res) => {
        res.statusCode = 304;
      },
    ],
    [
      'that hints early',
      (res) => {
        res.writeContinue();
      },
    ],
  ])('%s', async (_, handle) => {
    for (const request of REQUESTS) {
      expect(await resultOf(true, handle, request)).toEqual(await resultOf(false, handle, request));
    }
  });

  // That does not know of them: what it reads is not compared.
  it.each<[string, Handler]>([
    ['untouched', () => undefined],
    ['that sets one of them', (res) => res.setHeader('x-one', 'other')],
    ['that writes one of them', (res) => res.writeHead(200, { 'x-one': 'a' })],
    ['that writes a list', (res) => res.writeHead(200, ['x-one', 'a'])],
  ])('in an Express application that is called as a function, %s', async (_, handle) => {
    const other: Handler = (res) =>
      handle(Object.setPrototypeOf(res, express().response) as Response);
    for (const request of REQUESTS) {
      const [own, plain] = [
        await resultOf(true, other, request),
        await resultOf(false, other, request),
      ];
      expect(own.slice(-2)).toEqual(plain.slice(-2));
    }
  });

  it('in an application with standing headers of its own', async () => {
    const other = express();
    createMessageClasses(other, STANDING);
    const handle: Handler = (res) => Object.setPrototypeOf(res, other.response) as Response;
    for (const request of REQUESTS) {
      const [own, plain] = [
        await resultOf(true, handle, request),
        await resultOf(false, () => undefined, request),
      ];
      expect(own.slice(-2)).toEqual(plain.slice(-2));
    }
  });

  it('where Node makes the head in another way', async () => {
    const above = Object.getPrototypeOf(ServerResponse.prototype) as ServerResponse;
    // One that takes nothing from the first line but the status.
    ServerResponse.prototype._storeHeader = function (firstLine, headers) {
      above._storeHeader.call(this, `${firstLine.split('\r\n', 1)[0] ?? ''}\r\n`, headers);
    };
    try {
      const [request = ''] = REQUESTS;
      const plain = await resultOf(false, () => undefined, request);
      expect(await resultOf(true, () => undefined, request)).toEqual(plain);
    } finally {
      Reflect.deleteProperty(ServerResponse.prototype, '_storeHeader');
    }
  });
});
