import type { Request, Response } from 'express';
import { text } from 'node:stream/consumers';
import request from 'supertest';
import { createTestApp, type TestApp } from './fixtures/app.js';
import { openSocket, parseResponses, type RawResponse, sendRaw } from './fixtures/http.js';
import { waitFor } from './fixtures/wait-for.js';

const ECHO = '/api/v1/system/smoke-test';
const BODY = '{"ping":"p"}';
const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const CHUNKS = `c\r\n${BODY}\r\n0\r\n\r\n`;
const MALFORMED = 'The request is malformed';
/** Follows the request under test on its connection. It must not be served. */
const NEXT_REQUEST = 'GET /next HTTP/1.1\r\nHost: a\r\nX-Request-Id: next\r\n\r\n';

let app: TestApp['app'];
let log: TestApp['log'];

beforeAll(async () => {
  ({ app, log } = await createTestApp());
});

beforeEach(() => {
  log.length = 0;
});

function formatPost(headers: string, body: string): string {
  return `POST ${ECHO} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${headers}\r\n${body}`;
}

function formatGet(headers: string): string {
  return `GET /smoke-test HTTP/1.1\r\n${headers}\r\n`;
}

/** Creates the expected response to a malformed request. It is the last one on its connection. */
function createErrorResponse(status: number, detail: string): RawResponse {
  return {
    status,
    headers: expect.arrayContaining([
      'Connection: close',
      'Content-Type: application/json',
      'X-Content-Type-Options: nosniff',
      expect.stringMatching(/^X-Request-Id: [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
    ]) as string[],
    body: JSON.stringify({ detail }),
  };
}

describe('a malformed request', () => {
  afterEach(() => {
    // It is the client's error, so the log has no warning or error.
    expect(log.filter(({ level }) => level !== 'info')).toEqual([]);
  });

  // Where a proxy sees the end of a request elsewhere, a second request could hide in the first.
  it.each([
    ['length and chunks', formatPost(`Content-Length: 12\r\n${CHUNKED}`, CHUNKS)],
    ['chunks and length', formatPost(`${CHUNKED}Content-Length: 12\r\n`, CHUNKS)],
    ['the same length twice', formatPost('Content-Length: 12\r\nContent-Length: 12\r\n', BODY)],
    ['two lengths', formatPost('Content-Length: 12\r\nContent-Length: 2\r\n', BODY)],
    ['a list of lengths', formatPost('Content-Length: 12, 12\r\n', BODY)],
    ['a length with a plus sign', formatPost('Content-Length: +12\r\n', BODY)],
    ['a negative length', formatPost('Content-Length: -1\r\n', BODY)],
    ['a hexadecimal length', formatPost('Content-Length: 0xc\r\n', BODY)],
    ['a length that overflows', formatPost(`Content-Length: ${'9'.repeat(30)}\r\n`, BODY)],
    ['an empty length', formatPost('Content-Length: \r\n', BODY)],
    ['a space before a colon', formatPost('Content-Length : 12\r\n', BODY)],
    ['an unknown transfer coding', formatPost('Transfer-Encoding: xchunked\r\n', CHUNKS)],
    ['a coding after chunked', formatPost('Transfer-Encoding: chunked, identity\r\n', CHUNKS)],
    ['chunked twice', formatPost(CHUNKED.repeat(2), CHUNKS)],
    ['chunked in quotes', formatPost('Transfer-Encoding: "chunked"\r\n', CHUNKS)],
    ['a folded header', formatPost('Transfer-Encoding:\r\n chunked\r\n', CHUNKS)],
    ['a chunk size with a plus sign', formatPost(CHUNKED, `+${CHUNKS}`)],
    ['a chunk size with 0x', formatPost(CHUNKED, `0x${CHUNKS}`)],
    ['a chunk size that is not a number', formatPost(CHUNKED, 'zz\r\n')],
    ['a chunk size that overflows', formatPost(CHUNKED, 'f'.repeat(17) + CHUNKS)],
    ['a chunk longer than its size', formatPost(CHUNKED, `5${CHUNKS.slice(1)}`)],
    ['chunks with bare line feeds', formatPost(CHUNKED, CHUNKS.replaceAll('\r', ''))],
    ['a line feed in a chunk extension', formatPost(CHUNKED, CHUNKS.replace('c', 'c;a\nb'))],
    [
      'a length in the trailer',
      formatPost(CHUNKED, CHUNKS.replace('0\r\n', '0\r\nContent-Length: 5\r\n')),
    ],
    ['bare line feeds', formatGet('Host: a\r\n').replaceAll('\r', '')],
    ['bare carriage returns', formatGet('Host: a\r\n').replaceAll('\n', '')],
    ['a carriage return in a header', formatGet('Host: a\r\nX: a\rb\r\n')],
    ['a NUL in a header', formatGet('Host: a\r\nX: \0\r\n')],
    ['a header without a colon', formatGet('Host: a\r\nbad\r\n')],
    ['a space before the first header', formatGet(' Host: a\r\n')],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['HTTP/1.2', formatGet('Host: a\r\n').replace('1.1', '1.2')],
    ['a lower-case method', formatGet('Host: a\r\n').toLowerCase()],
    ['tabs instead of spaces', formatGet('Host: a\r\n').replaceAll(' ', '\t')],
    ['a NUL in the path', formatGet('Host: a\r\n').replace('smoke', '\0')],
    ['TLS', Buffer.from('16030100a5010000a10303', 'hex')],
    ['other bytes', 'hello\r\n\r\n'],
  ])('gets 400 and closes the connection: %s', async (_, bytes) => {
    const received = await sendRaw(
      app,
      Buffer.concat([Buffer.from(bytes), Buffer.from(NEXT_REQUEST)]),
    );
    const responses = parseResponses(received);
    // Where the error follows a complete request, that one has a response of its own.
    expect(responses.at(-1)).toEqual(createErrorResponse(400, MALFORMED));
    expect(responses).not.toContainEqual(expect.objectContaining({ status: 404 }));
  });

  it.each([
    ['one header of 20 kB', `X: ${'x'.repeat(20_000)}\r\n`],
    ['4,000 headers of 10 bytes', 'X: 45678\r\n'.repeat(4000)],
  ])('gets 431 when its headers are too large: %s', async (_, headers) => {
    const received = await sendRaw(app, formatGet(`Host: a\r\n${headers}`));
    expect(parseResponses(received)).toEqual([
      createErrorResponse(431, 'The request headers are too large'),
    ]);
  });

  it.each([
    ['two hosts', 'Host: a\r\nHost: b\r\n', 'The request has more than one Host header'],
    ['one host twice', 'Host: a\r\nhost: a\r\n', 'The request has more than one Host header'],
    ['a space in the host', 'Host: a b\r\n', 'The Host header is malformed'],
    ['a path in the host', 'Host: a/b\r\n', 'The Host header is malformed'],
    ['a user in the host', 'Host: a@b\r\n', 'The Host header is malformed'],
    ['a backslash in the host', 'Host: a\\b\r\n', 'The Host header is malformed'],
    ['no host', 'X: y\r\n', 'The Host header is missing'],
  ])('gets 400 and is the last on its connection: %s', async (_, headers, detail) => {
    const received = await sendRaw(app, formatGet(headers) + NEXT_REQUEST);
    expect(parseResponses(received)).toEqual([createErrorResponse(400, detail)]);
    await waitFor(() => log.some(({ statusCode }) => statusCode === 400));
    expect(log).not.toContainEqual(expect.objectContaining({ requestId: 'next' }));
  });

  it.each(['http://', 'http://[::1', 'a:b', 'example.com'])(
    'gets 400 when its target is %s',
    async (target) => {
      const received = await sendRaw(
        app,
        `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      );
      expect(parseResponses(received)).toEqual([
        {
          ...createErrorResponse(400, ''),
          body: expect.stringMatching(/^\{"detail":"The request[^"]* is malformed"\}$/) as string,
        },
      ]);
    },
  );
});

describe('an unusual but valid request', () => {
  it.each(['localhost:8000', '[::1]:8000', 'xn--bcher-kva.example', ''])(
    'gets 200 with Host: %s',
    async (host) => {
      const received = await sendRaw(app, formatGet(`Host: ${host}\r\nConnection: close\r\n`));
      expect(parseResponses(received)).toMatchObject([{ status: 200 }]);
    },
  );

  it.each([
    ['HTTP/1.0 without Host', 'GET /smoke-test HTTP/1.0\r\n\r\n'],
    [
      'an absolute target',
      'GET http://a:1/smoke-test?b=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    ],
    ['an unknown expectation', formatGet('Host: a\r\nExpect: gold\r\nConnection: close\r\n')],
    [
      'headers named like properties of Object.prototype',
      formatGet(
        'Host: a\r\n__proto__: {}\r\nconstructor: x\r\ntoString: y\r\nConnection: close\r\n',
      ),
    ],
  ])('gets 200: %s', async (_, bytes) => {
    expect(parseResponses(await sendRaw(app, bytes))).toMatchObject([{ status: 200 }]);
  });

  it('gets a new X-Request-Id when it sends the header twice', async () => {
    const received = await sendRaw(
      app,
      formatGet('Host: a\r\nX-Request-Id: a\r\nX-Request-Id: b\r\nConnection: close\r\n'),
    );
    expect(received).toMatch(/\r\nX-Request-Id: [0-9a-f]{8}-[0-9a-f-]{27}\r\n/);
  });

  it('does not parse the body of a GET as the next request', async () => {
    const received = await sendRaw(
      app,
      `${formatGet(`Host: a\r\nContent-Length: ${NEXT_REQUEST.length}\r\n`)}${NEXT_REQUEST}${formatGet('Host: a\r\nConnection: close\r\n')}`,
    );
    expect(parseResponses(received)).toMatchObject([{ status: 200 }, { status: 200 }]);
  });
});

describe('CONNECT', () => {
  it('gets 404', async () => {
    const received = await sendRaw(app, 'CONNECT example.com:443 HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(parseResponses(received)).toEqual([createErrorResponse(404, 'Not Found')]);
  });

  it('closes the connection without a response while another request is in progress', async () => {
    const received = await sendRaw(
      app,
      'GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\nCONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n',
    );
    expect(received).not.toContain('404 Not Found');
  });
});

describe('malformed bytes after valid requests on one connection', () => {
  it('do not prevent the response to a GET, and are not logged', async () => {
    const received = await sendRaw(app, `${formatGet('Host: a\r\n')}hello\r\n\r\nhello\r\n\r\n`);
    expect(parseResponses(received)).toMatchObject([
      { status: 200, body: expect.stringMatching(/^\{"status":"ok",.*\}$/) as string },
    ]);
    // Records are in the order of the requests, so this one is the last.
    await request(app.getHttpServer()).get('/nope').set('X-Request-Id', 'last');
    await waitFor(() => log.length > 0);
    expect(log).toMatchObject([{ requestId: 'last' }]);
  });

  it('do not prevent the responses to several POSTs', async () => {
    const valid = formatPost('Content-Length: 12\r\n', BODY);
    const received = await sendRaw(app, `${valid.repeat(3)}hello\r\n\r\nhello\r\n\r\n`);
    expect(parseResponses(received).map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  it('do not add a listener for each packet while a request is in progress', async () => {
    const warnings: Error[] = [];
    const collect = (warning: Error) => warnings.push(warning);
    process.on('warning', collect);
    let respond: () => void = () => undefined;
    const { app: slow } = await createTestApp({
      prepare: (app) => {
        app.use('/slow', (_: Request, res: Response) => {
          respond = () => res.end('late');
        });
      },
    });
    const socket = await openSocket(slow);
    socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
    for (let i = 0; i < 40; i++) {
      socket.write('\0malformed');
      // A request on another connection, so that the pieces arrive in packets of their own.
      await request(slow.getHttpServer()).get('/system/healthz');
    }
    respond();
    expect(parseResponses(await text(socket))).toMatchObject([{ status: 200, body: 'late' }]);
    process.off('warning', collect);
    expect(warnings).toEqual([]);
  });
});
