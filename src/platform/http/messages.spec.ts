import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import express from 'express';
import { type HeaderField, messageClasses } from './messages.js';

const STANDING: HeaderField[] = [
  ['X-One', '1'],
  ['X-Two', '2; b'],
];

/** What a handler does with a response; what it returns is what it has read of it. */
type Handler = (response: ServerResponse) => unknown;

/** What a handler has read, and the lines of the head that was sent, sorted. */
async function resultOf(isStanding: boolean, handle: Handler): Promise<unknown[]> {
  const result: unknown[] = [];
  const options = isStanding ? messageClasses(express(), STANDING) : {};
  const server = createServer(options, (_request, response) => {
    response.sendDate = false;
    if (!isStanding) for (const [name, value] of STANDING) response.setHeader(name, value);
    try {
      const read = handle(response);
      result.push(read === response ? 'itself' : read);
    } catch (error) {
      result.push(String(error));
    }
    result.push(sorted(response.getHeaderNames()), sorted(response.getRawHeaderNames()));
    result.push({ ...response.getHeaders() });
    response.end('body');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  const [head = '', body] = (await text(socket)).split('\r\n\r\n');
  server.close();
  return [...result, sorted(head.split('\r\n')), body];
}

function sorted(list: string[]): string[] {
  return list.toSorted();
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
  ])('%s', async (_, handle) => {
    expect(await resultOf(true, handle)).toEqual(await resultOf(false, handle));
  });
});
