import { Agent } from 'node:http';
import { Readable } from 'node:stream';
import { jest } from '@jest/globals';
import {
  Controller,
  Get,
  Header,
  Module,
  Next,
  Post,
  Req,
  Res,
  ServiceUnavailableException,
  StreamableFile,
} from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import express, { type NextFunction, type Request, type Response } from 'express';
import request from 'supertest';
import type { ApiAdapter } from '../src/platform/http/api.adapter.js';
import { createTestApp } from './fixtures/app.js';
import { collectGarbage } from './fixtures/collect-garbage.js';
import { parseResponses, sendRaw } from './fixtures/http.js';
import { waitFor } from './fixtures/wait-for.js';

/** One handler for each way of responding that Nest documents. */
@Controller()
class Handlers {
  @Get('object')
  object() {
    return { a: 1 };
  }

  @Get('text')
  text() {
    return 'plain';
  }

  @Get('unavailable')
  @Header('Content-Type', 'text/csv')
  unavailable() {
    throw new ServiceUnavailableException('No rows');
  }

  @Post('raw')
  raw(@Req() { body }: { body: Buffer }) {
    return { read: body.toString() };
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

  @Get('express-properties')
  expressProperties(@Req() request: Request, @Res({ passthrough: true }) response: Response) {
    const { url, originalUrl, baseUrl, params, next, res } = request;
    const { path: route } = request.route as { path: string };
    // `_parsedUrl` is a cache.
    const requestKeys = Object.keys(request).filter((key) => key !== '_parsedUrl');
    return {
      ...{ url, originalUrl, baseUrl, params, route },
      ...{ next: typeof next, isResponse: res === response, isRequest: response.req === request },
      requestKeys: requestKeys.sort(),
      responseKeys: Object.keys(response).sort(),
      prototypes: [params, response.locals].map((object) => String(Object.getPrototypeOf(object))),
    };
  }

  @Get('next')
  next(@Next() next: NextFunction) {
    next();
  }

  @Get('next-error')
  nextError(@Next() next: NextFunction) {
    next(new ServiceUnavailableException('Passed to next()'));
  }

  @Get('file')
  file() {
    return new StreamableFile(Readable.from(['one two']), { type: 'text/csv' });
  }

  @Get('stream')
  stream(@Res() response: Response) {
    Readable.from(['one ', 'two']).pipe(response);
  }

  @Get('failing-stream')
  failingStream(@Res() response: Response) {
    response.write('begun');
    throw new Error('failed after the headers were sent');
  }
}

@Module({ controllers: [Handlers] })
class HandlersModule {}

const DEFAULT_HEADER = ['X-Content-Type-Options', 'nosniff'] as const;

let app: NestExpressApplication;
/** The names of the middleware that ran, in their order. */
const calls: string[] = [];
/** The requests that middleware received. */
let requests: WeakRef<object>[] = [];

function getAdapter(server: NestExpressApplication): ApiAdapter {
  return server.getHttpAdapter() as unknown as ApiAdapter;
}

/** Spies on what Express calls for each request that is not dispatched directly. */
function spyOnRouter(server: NestExpressApplication): jest.SpiedFunction<() => void> {
  const { router } = server.getHttpAdapter().getInstance();
  return jest.spyOn(router as unknown as { handle(): void }, 'handle');
}

beforeAll(async () => {
  const middleware = (name: string) => (req: object, _res: object, next: () => void) => {
    calls.push(name);
    requests.push(new WeakRef(req));
    next();
  };
  ({ app } = await createTestApp({
    features: [HandlersModule],
    prepare: (prepared) => {
      const adapter = getAdapter(prepared);
      adapter.useBeforeRouting(middleware('first'), middleware('second'));
      adapter.setLastRoutes(() => {
        prepared.use('/object', middleware('after the response'));
        prepared.use('/last', (_req: Request, res: Response) => res.json({ last: true }));
      });
      prepared.use(middleware('third'), middleware('fourth'));
      prepared.use('/raw', express.raw({ type: () => true }));
      prepared.use('/object', (req: Request, _res: Response, next: NextFunction) => {
        calls.push(`mounted at ${req.baseUrl} with url ${req.url}`);
        next();
      });
    },
  }));
});

beforeEach(() => {
  calls.length = 0;
  requests = [];
});

describe('ApiAdapter', () => {
  const JSON_TYPE = 'application/json';

  it.each([
    ['an object', '/object', [200, JSON_TYPE, '7', '{"a":1}']],
    ['a string', '/text', [200, 'text/html; charset=utf-8', '5', 'plain']],
    ['an exception', '/unavailable', [503, JSON_TYPE, '20', '{"detail":"No rows"}']],
    ['a StreamableFile', '/file', [200, 'text/csv', undefined, 'one two']],
    ['a Node stream', '/stream', [200, undefined, undefined, 'one two']],
    ['a late route', '/last', [200, `${JSON_TYPE}; charset=utf-8`, '13', '{"last":true}']],
    ['no route', '/nope', [404, JSON_TYPE, '22', '{"detail":"Not Found"}']],
  ])('sends the status, type, length and body of %s', async (_, path, expected) => {
    const { status, headers, text } = await request(app.getHttpServer())
      .get(path)
      .expect(...DEFAULT_HEADER);
    expect([status, headers['content-type'], headers['content-length'], text]).toEqual(expected);
  });

  it('closes the connection when a handler throws after the headers were sent', async () => {
    const received = await sendRaw(app, 'GET /failing-stream HTTP/1.1\r\nHost: a\r\n\r\n');
    // The last chunk, which would complete the response, is missing.
    expect(parseResponses(received)).toMatchObject([{ status: 200, body: '5\r\nbegun\r\n' }]);
  });

  it('sends responses in the order of pipelined requests', async () => {
    const formatGet = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
    const last = 'GET /text HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
    const received = await sendRaw(
      app,
      formatGet('/object') + formatGet('/file') + formatGet('/nope') + last,
    );
    expect(parseResponses(received)).toMatchObject([
      { status: 200, body: '{"a":1}' },
      { status: 200, body: '7\r\none two\r\n0\r\n\r\n' },
      { status: 404, body: '{"detail":"Not Found"}' },
      { status: 200, body: 'plain' },
    ]);
  });
  it('keeps the body that a middleware has read', async () => {
    await request(app.getHttpServer())
      .post('/raw')
      .type('text/csv')
      .send('a,b')
      .expect(201, '{"read":"a,b"}');
  });

  it("provides the properties and methods of Express's request", async () => {
    await request(app.getHttpServer())
      .get('/request?a=1&a=2')
      .set('Host', 'pets.example:80')
      .set('Accept', 'application/json')
      .set('X-Sent', 'sent')
      .set('X-Requested-With', 'XMLHttpRequest')
      .expect(200, {
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

  it('runs middleware in the order of registration, with URLs relative to the mount path', async () => {
    await request(app.getHttpServer()).get('/object');
    expect(calls).toEqual(['first', 'second', 'third', 'fourth', 'mounted at /object with url /']);
  });

  it.each([
    ['stays open', true],
    ['is closed', false],
  ])('releases requests from memory when their connection %s', async (_, keepAlive) => {
    const agent = new Agent({ keepAlive, maxSockets: 1 });
    const get = (path: string) => request(app.getHttpServer()).get(path).agent(agent);
    for (const path of ['/object', '/file', '/failing-stream', '/nope']) {
      await get(path).catch(() => undefined);
    }
    // Each of them passed at least four middleware functions.
    expect(requests.length).toBeGreaterThanOrEqual(16);
    // Node keeps the last request of an open connection.
    await get('/text');
    const before = requests.slice(0, 16);
    await waitFor(() => {
      collectGarbage();
      return before.every((request) => request.deref() === undefined);
    });
    agent.destroy();
  });
});

describe('ApiAdapter without middleware', () => {
  let direct: NestExpressApplication;
  let handle: ReturnType<typeof spyOnRouter>;

  beforeAll(async () => {
    ({ app: direct } = await createTestApp({
      features: [HandlersModule],
      prepare: (prepared) => {
        const adapter = getAdapter(prepared);
        adapter.setLastRoutes(() => {
          prepared.use('/next', (_req: Request, res: Response) => res.json({ after: 'next()' }));
        });
        // Nest's types declare only one handler.
        const register = adapter.get.bind(adapter) as (...args: unknown[]) => unknown;
        const next = (_req: Request, _res: Response, done: NextFunction) => {
          done();
        };
        const respond = (_req: Request, res: Response) => res.json({ own: true });
        register(['/own/a', '/own/b'], next, respond);
        register('/own/c', next, respond);
        expect(register('x-powered-by')).toBe(false);
      },
    }));
    handle = spyOnRouter(direct);
  });

  beforeEach(() => {
    handle.mockClear();
  });

  it("sets the same properties as Express, without calling Express's router", async () => {
    const get = (server: NestExpressApplication) =>
      request(server.getHttpServer()).get('/express-properties?a=1').expect(200);
    const properties = (await get(direct)).body as object;
    expect(handle).not.toHaveBeenCalled();
    expect(properties).toMatchObject({ route: '/express-properties', next: 'function' });
    expect((await get(app)).body).toEqual(properties);
  });

  it('calls later handlers when a route calls next()', async () => {
    await request(direct.getHttpServer()).get('/next').expect(200, { after: 'next()' });
    expect(handle).toHaveBeenCalledTimes(1);
  });

  it('sends the error that a route passes to next()', async () => {
    await request(direct.getHttpServer())
      .get('/next-error')
      .expect(503, { detail: 'Passed to next()' });
  });

  it('sends the error of the body parser', async () => {
    await request(direct.getHttpServer())
      .post('/raw')
      .type('json')
      .set('Content-Encoding', 'zip')
      .send('"a"')
      .expect(415, { detail: 'Unsupported content encoding "zip"' });
  });

  it.each(['/own/a', '/own/b', '/own/c'])(
    'serves routes that are registered with the adapter: %s',
    async (path) => {
      await request(direct.getHttpServer()).get(path).expect(200, { own: true });
    },
  );

  it.each([
    ['an unknown path', '/nope', 404, '{"detail":"Not Found"}'],
    ['another method', '/object', 405, '{"detail":"Method Not Allowed"}'],
  ])('responds to %s', async (_, path, status, body) => {
    await request(direct.getHttpServer()).post(path).expect(status, body);
  });
});

describe('createApp', () => {
  it('dispatches requests directly', async () => {
    const { app: shipped } = await createTestApp();
    const handle = spyOnRouter(shipped);
    const server = shipped.getHttpServer();
    await request(server).get('/system/healthz').expect(200);
    await request(server).post('/api/v1/system/smoke-test').send({ ping: 'a' }).expect(200);
    expect(handle).not.toHaveBeenCalled();
  });

  it('dispatches requests directly if no middleware matches their path', async () => {
    const paths: string[] = [];
    const { app: shipped } = await createTestApp({
      prepare: (prepared) => {
        prepared.use('/system', (req: Request, _res: Response, next: NextFunction) => {
          paths.push(req.originalUrl);
          next();
        });
      },
    });
    const handle = spyOnRouter(shipped);
    const server = shipped.getHttpServer();
    await request(server).get('/smoke-test').expect(200);
    expect(handle).not.toHaveBeenCalled();
    await request(server).get('/system/healthz').expect(200);
    expect(handle).toHaveBeenCalledTimes(1);
    expect(paths).toEqual(['/system/healthz']);
  });
});
