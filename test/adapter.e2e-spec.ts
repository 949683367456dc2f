import { Agent } from 'node:http';
import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { jest } from '@jest/globals';
import {
  Controller,
  Get,
  Header,
  HttpCode,
  Post,
  Redirect,
  Req,
  Res,
  ServiceUnavailableException,
  StreamableFile,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import express, { type NextFunction, type Request, type Response } from 'express';
import { ApiAdapter } from '../src/platform/http/api.adapter.js';
import { HttpModule } from '../src/platform/http/http.module.js';
import { LifecycleService } from '../src/platform/lifecycle/lifecycle.service.js';
import { assignRequestId } from '../src/platform/http/request-id.js';
import { RequestTracker } from '../src/platform/http/request-tracker.js';
import { ConnectionTracker } from '../src/platform/lifecycle/connection-tracker.js';
import { parseSettings } from '../src/platform/settings.js';
import { type Answer, send, sendRaw } from './fixtures/http.js';
import { waitFor } from './fixtures/wait-for.js';

/** Handlers in all the ways in which Nest's users write them. */
@Controller()
class Handlers {
  @Get('object')
  object() {
    return { a: 1 };
  }

  @Get('list')
  list() {
    return ['ä', '€', '😀'];
  }

  @Get('latin1')
  latin1() {
    return { text: 'é' };
  }

  @Get('text')
  text() {
    return 'plain';
  }

  @Get('number')
  number() {
    return 5;
  }

  @Get('empty')
  empty() {
    return undefined;
  }

  @Post('created')
  created() {
    return { created: true };
  }

  @Get('gone')
  @HttpCode(204)
  gone() {
    return { not: 'sent' };
  }

  @Get('broken')
  @Header('Content-Type', 'text/csv')
  broken() {
    throw new ServiceUnavailableException('No rows');
  }

  @Post('raw')
  raw(@Req() { body }: { body: Buffer }) {
    return { read: body.toString() };
  }

  @Get('typed')
  @Header('Content-Type', 'application/problem+json')
  typed() {
    return { a: 1 };
  }

  @Get('redirected')
  @Redirect('/object', 307)
  redirected() {
    return undefined;
  }

  @Get('by-response')
  byResponse(@Res() response: Response) {
    response.status(202).set('X-Own', 'yes').json({ by: 'res.json' });
  }

  @Get('with-response')
  withResponse(@Res({ passthrough: true }) response: Response) {
    response.status(203).cookie('a', 'b');
    return { a: 1 };
  }

  @Get('request')
  request(@Req() request: Request) {
    const { ip, protocol, hostname, path, originalUrl, query, xhr } = request;
    return {
      ...{ ip, protocol, hostname, path, originalUrl, query, xhr },
      accepted: request.accepts('json'),
      sent: request.get('X-Sent'),
    };
  }

  @Get('file')
  file() {
    return new StreamableFile(Readable.from(['one two']), { type: 'text/csv' });
  }

  @Get('stream')
  stream(@Res() response: Response) {
    Readable.from(['one ', 'two']).pipe(response);
  }

  @Get('late')
  late(@Res() response: Response) {
    response.write('begun');
    throw new Error('late');
  }
}

const STANDING: [string, string] = ['X-Standing', 'yes'];

let app: NestExpressApplication;
const seen: string[] = [];
let requests: WeakRef<object>[] = [];

beforeAll(async () => {
  const connections = new ConnectionTracker();
  const lifecycle = new LifecycleService(connections);
  const middleware = (name: string) => (req: object, _res: object, next: () => void) => {
    seen.push(name);
    requests.push(new WeakRef(req));
    next();
  };
  const adapter = new ApiAdapter({
    settings: parseSettings({ BODY_LIMIT: '1kb' }),
    lifecycle,
    connections,
    middleware: [
      middleware('first'),
      middleware('second'),
      assignRequestId,
      new RequestTracker(connections).track,
    ],
    defaultHeaders: [STANDING],
    registerLastRoutes: () => {
      app.use('/object', middleware('never: the route has answered'));
      app.use('/last', (_req: Request, res: Response) => res.json({ last: true }));
    },
  });
  app = await NestFactory.create<NestExpressApplication>(
    { module: HttpModule, controllers: [Handlers] },
    adapter,
    { bodyParser: false, logger: false },
  );
  app.use(middleware('third'), middleware('fourth'));
  app.use('/raw', express.raw({ type: () => true }));
  app.use('/object', (req: Request, _res: Response, next: NextFunction) => {
    seen.push(`mounted at ${req.baseUrl}, sees ${req.url}`);
    next();
  });
  await app.listen(0, '127.0.0.1');
});

afterAll(async () => {
  await app.close();
});

beforeEach(() => {
  seen.length = 0;
  requests = [];
});

/** Status, content type, length and body, which are all that the way of an answer may change. */
function essence({ status, headers, text }: Answer): unknown[] {
  return [status, headers['content-type'], headers['content-length'], text];
}

describe('the HTTP adapter', () => {
  const JSON_TYPE = 'application/json';

  it.each([
    ['an object', 'GET', '/object', [200, JSON_TYPE, '7', '{"a":1}']],
    ['text beyond Latin-1', 'GET', '/list', [200, JSON_TYPE, '19', '["ä","€","😀"]']],
    ['text beyond ASCII', 'GET', '/latin1', [200, JSON_TYPE, '13', '{"text":"é"}']],
    ['a string', 'GET', '/text', [200, 'text/html; charset=utf-8', '5', 'plain']],
    ['a number', 'GET', '/number', [200, 'text/html; charset=utf-8', '1', '5']],
    ['nothing', 'GET', '/empty', [200, undefined, '0', '']],
    ["Nest's status of a POST", 'POST', '/created', [201, JSON_TYPE, '16', '{"created":true}']],
    ['no body with a 204', 'GET', '/gone', [204, undefined, undefined, '']],
    ['an error as JSON', 'GET', '/broken', [503, JSON_TYPE, '20', '{"detail":"No rows"}']],
    ['a content type', 'GET', '/typed', [200, 'application/problem+json', '7', '{"a":1}']],
    ['a stream of Nest', 'GET', '/file', [200, 'text/csv', undefined, 'one two']],
    ['a stream of Node', 'GET', '/stream', [200, undefined, undefined, 'one two']],
    ['HEAD', 'HEAD', '/object', [200, JSON_TYPE, '7', '']],
    ['a late route', 'GET', '/last', [200, `${JSON_TYPE}; charset=utf-8`, '13', '{"last":true}']],
    ['no route', 'GET', '/nope', [404, JSON_TYPE, '22', '{"detail":"Not Found"}']],
  ])('answers %s', async (_, method, path, expected) => {
    const answer = await send(app, method, path);
    expect(essence(answer)).toEqual(expected);
    expect(answer.headers['x-standing']).toBe('yes');
  });

  it('leaves a body alone that a middleware has read', async () => {
    const answer = await send(app, 'POST', '/raw', { 'Content-Type': 'text/csv' }, 'a,b');
    expect([answer.status, answer.text]).toEqual([201, '{"read":"a,b"}']);
  });

  it("leaves Express's methods of the response to the handler", async () => {
    const answer = await send(app, 'GET', '/by-response');
    expect([answer.status, answer.headers['x-own'], answer.text]).toEqual([
      202,
      'yes',
      '{"by":"res.json"}',
    ]);
    const other = await send(app, 'GET', '/with-response');
    expect([other.status, other.headers['set-cookie'], other.text]).toEqual([
      203,
      ['a=b; Path=/'],
      '{"a":1}',
    ]);
    const redirected = await send(app, 'GET', '/redirected');
    expect([redirected.status, redirected.headers.location]).toEqual([307, '/object']);
  });

  it("leaves Express's properties and methods of the request to the handler", async () => {
    const { text } = await send(app, 'GET', '/request?a=1&a=2', {
      Host: 'pets.example:80',
      Accept: 'application/json',
      'X-Sent': 'sent',
      'X-Requested-With': 'XMLHttpRequest',
    });
    expect(JSON.parse(text)).toEqual({
      ip: '127.0.0.1',
      protocol: 'http',
      hostname: 'pets.example',
      path: '/request',
      originalUrl: '/request?a=1&a=2',
      query: { a: ['1', '2'] },
      xhr: true,
      accepted: 'json',
      sent: 'sent',
    });
  });

  it('calls middleware in its order, each with the path it is mounted at', async () => {
    await send(app, 'GET', '/object');
    expect(seen).toEqual(['first', 'second', 'third', 'fourth', 'mounted at /object, sees /']);
  });

  it('breaks off an answer that fails when it has begun', async () => {
    const answer = await sendRaw(app, 'GET /late HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    expect(answer).toMatch(/\r\n\r\n5\r\nbegun\r\n$/);
  });

  it('answers what is sent at once in its order, on one connection', async () => {
    const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
    const last = 'GET /text HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
    const answers = await sendRaw(app, get('/object') + get('/file') + get('/nope') + last);
    const parts = answers.split(/(?=HTTP\/1.1 )/);
    expect(parts.map((answer) => answer.match(/^HTTP.*|\r\n\r\n[^]*$/g))).toEqual([
      ['HTTP/1.1 200 OK', '\r\n\r\n{"a":1}'],
      ['HTTP/1.1 200 OK', '\r\n\r\n7\r\none two\r\n0\r\n\r\n'],
      ['HTTP/1.1 404 Not Found', '\r\n\r\n{"detail":"Not Found"}'],
      ['HTTP/1.1 200 OK', '\r\n\r\nplain'],
    ]);
  });

  it('changes the prototype of no request and no response', async () => {
    const changed: unknown[] = [];
    const original = Object.setPrototypeOf.bind(Object);
    const spy = jest.spyOn(Object, 'setPrototypeOf');
    spy.mockImplementation((target: object, prototype: object | null) => {
      if (Object.getPrototypeOf(target) !== prototype) changed.push(target);
      return original(target, prototype) as object;
    });
    await send(app, 'GET', '/object');
    const calls = spy.mock.calls.length;
    spy.mockRestore();
    expect(calls).toBeGreaterThanOrEqual(2);
    expect(changed).toEqual([]);
  });

  it.each(['goes on', 'is closed'])(
    'keeps nothing of a request when its connection %s',
    async (connection) => {
      setFlagsFromString('--expose-gc');
      const collectGarbage = runInNewContext('gc') as () => void;
      const agent = new Agent({ keepAlive: connection === 'goes on', maxSockets: 1 });
      for (const path of ['/object', '/file', '/late', '/nope']) {
        await send(app, 'GET', path, {}, '', agent).catch(() => undefined);
      }
      expect(requests.length).toBeGreaterThanOrEqual(16);
      // Node itself keeps the last request of a connection that is open.
      await send(app, 'GET', '/text', {}, '', agent);
      const before = requests.slice(0, 16);
      await waitFor(() => {
        collectGarbage();
        return before.every((request) => request.deref() === undefined);
      });
      agent.destroy();
    },
  );
});
