import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import {
  createServer,
  get as getHttp,
  IncomingMessage,
  request as sendHttp,
  type Server,
  ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { jest } from '@jest/globals';
import {
  All,
  BadRequestException,
  Body,
  Controller,
  Get,
  Head,
  Header,
  HttpCode,
  HttpException,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  Next,
  Options,
  Param,
  Patch,
  Post,
  Query,
  Redirect,
  Req,
  RequestMethod,
  Res,
  Sse,
  StreamableFile,
  Version,
  VersioningType,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { of } from 'rxjs';
import { FastExpressAdapter, type FastExpressOptions } from './fast-express.adapter.js';

/** Handlers whose objects the adapter sends. */
@Controller('objects')
class ObjectsController {
  @Get()
  list() {
    return [{ id: 1 }, 'ä', '€', '😀', 'é', '<b>&'];
  }

  @Post()
  create(@Body() body: object) {
    return { body };
  }

  @Get('date')
  date() {
    return new Date(0);
  }

  @Get('to-json')
  toJson() {
    return { toJSON: () => undefined };
  }

  @Get('typed')
  @Header('Content-Type', 'application/problem+json')
  typed() {
    return { a: 1 };
  }

  @Get('cached')
  @Header('Cache-Control', 'max-age=1')
  cached() {
    return { a: 1 };
  }

  @Get('removed-default')
  removedDefault(@Res({ passthrough: true }) response: Response) {
    response.removeHeader('X-Default');
    return { a: 1 };
  }

  @Get('etag')
  @Header('ETag', '"1"')
  etag() {
    return { a: 1 };
  }

  @Get('last-modified')
  @Header('Last-Modified', 'Wed, 21 Oct 2015 07:28:00 GMT')
  lastModified() {
    return { a: 1 };
  }

  @Get('passthrough')
  passthrough(@Res({ passthrough: true }) response: Response) {
    response.status(203).cookie('a', 'b').set('X-Own', 'yes');
    return { a: 1 };
  }

  @Get('chunked')
  @Header('Transfer-Encoding', 'chunked')
  chunked() {
    return { a: 'ä' };
  }

  @Get('request')
  request(@Req() request: Request, @Res({ passthrough: true }) response: Response) {
    const { ip, protocol, hostname, path, url, originalUrl, baseUrl, query, xhr } = request;
    const { path: route } = request.route as { path: string };
    // `_parsedUrl` is a cache, the others are properties of the message classes.
    const getKeys = (object: object) =>
      Object.keys(object)
        .filter((key) => !['_parsedUrl', '_storeHeader', 'defaults'].includes(key))
        .sort();
    return {
      ...{ ip, protocol, hostname, path, url, originalUrl, baseUrl, query, xhr, route },
      accepted: request.accepts('json'),
      sent: request.get('X-Sent'),
      isResponse: request.res === response && response.req === request,
      requestKeys: getKeys(request),
      responseKeys: getKeys(response),
      locals: String(Object.getPrototypeOf(response.locals)),
      params: String(Object.getPrototypeOf(request.params)),
    };
  }

  @Get('exception')
  exception() {
    throw new BadRequestException('Bad');
  }

  @Get('own-exception')
  ownException() {
    throw new HttpException({ own: true }, 418);
  }

  @Get('csv-exception')
  @Header('Content-Type', 'text/csv')
  csvException() {
    throw new HttpException({ own: true }, 503);
  }

  @Get('error')
  error() {
    throw new Error('secret');
  }

  @Get('next')
  next(@Next() next: NextFunction) {
    next();
  }

  @Get('next-error')
  nextError(@Next() next: NextFunction) {
    next(new BadRequestException('Passed to next()'));
  }

  @Get('invalid-status')
  @HttpCode(42)
  invalidStatus() {
    return { a: 1 };
  }

  @Get(':id')
  read(@Param('id') id: string, @Query() query: object) {
    return { id, query };
  }

  @Patch(':id/parts/:part')
  update(@Param() params: object) {
    return params;
  }

  @Get('files/*path')
  wildcard(@Param('path') path: unknown) {
    return { path };
  }

  @Get('optional{/:name}')
  optional(@Param('name') name?: string) {
    return { name };
  }

  @All('all')
  all(@Req() { method }: Request) {
    return { method };
  }
}

/** Handlers whose responses the adapter passes to Express. */
@Controller('others')
class OthersController {
  @Get('text')
  text() {
    return 'plain';
  }

  @Get('number')
  number() {
    return 5;
  }

  @Get('undefined')
  undefined() {
    return undefined;
  }

  @Get('null')
  null() {
    return null;
  }

  @Get('returned-error')
  returnedError() {
    return new Error('returned');
  }

  @Get('no-content')
  @HttpCode(204)
  noContent() {
    return { not: 'sent' };
  }

  @Get('reset-content')
  @HttpCode(205)
  resetContent() {
    return { not: 'sent' };
  }

  @Get('not-modified')
  @HttpCode(304)
  notModified() {
    return { not: 'sent' };
  }

  @Get('redirect')
  @Redirect('/objects', 307)
  redirect() {
    return undefined;
  }

  @Get('res-json')
  resJson(@Res() response: Response) {
    response.status(202).set('X-Own', 'yes').json({ a: 1 });
  }

  @Get('res-end')
  resEnd(@Res() response: Response) {
    response.writeHead(200, { 'Content-Type': 'text/csv', 'X-Default': 'own' }).end('a,b');
  }

  @Get('remove-header')
  removeHeader(@Res() response: Response) {
    response.removeHeader('X-Default');
    response.send('removed');
  }

  @Get('file')
  file() {
    return new StreamableFile(Readable.from(['one ', 'two']), { type: 'text/csv', length: 7 });
  }

  @Get('missing-file')
  missingFile() {
    const stream = new Readable({
      read() {
        this.destroy(new Error('Not there'));
      },
    });
    return new StreamableFile(stream);
  }

  @Sse('events')
  events() {
    return of({ data: 'one' }, { data: 'two' });
  }

  @Head('head')
  head(@Res() response: Response) {
    response.set('X-Own', 'yes').end();
  }

  @Options('options')
  options(@Res() response: Response) {
    response.set('Allow', 'OPTIONS').end();
  }
}

@Controller({ path: 'versions', version: '1' })
class VersionsController {
  @Get()
  first() {
    return { version: 1 };
  }

  @Get()
  @Version('2')
  second() {
    return { version: 2 };
  }
}

@Controller({ path: 'hosts', host: ':account.example.com' })
class HostsController {
  @Get()
  account() {
    return { host: true };
  }
}

@Controller('hosts')
class AnyHostController {
  @Get()
  any() {
    return { host: false };
  }
}

function record(name: string) {
  return (_req: Request, res: Response, next: NextFunction) => {
    res.append('X-Middleware', name);
    next();
  };
}

@Module({
  controllers: [
    ObjectsController,
    OthersController,
    VersionsController,
    HostsController,
    AnyHostController,
  ],
})
class AppModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(record('string')).forRoutes('objects/date');
    consumer
      .apply(record('method'))
      .forRoutes({ path: 'objects/typed', method: RequestMethod.GET });
    consumer
      .apply(record('wildcard'))
      .exclude('others/text')
      .forRoutes({ path: 'others/*path', method: RequestMethod.GET });
    consumer.apply(record('controller')).forRoutes(VersionsController);
  }
}

type Prepare = (app: NestExpressApplication) => void;

interface SentRequest {
  method?: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

const HEADERS: [string, string][] = [
  ['X-Default', 'yes'],
  ['X-Other-Default', 'a; b'],
];

const apps: NestExpressApplication[] = [];

async function createApp(
  adapter: ExpressAdapter,
  prepare: Prepare = () => undefined,
): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule, adapter, {
    logger: false,
    // It is middleware for all requests, for which Express calls no handler directly.
    bodyParser: false,
  });
  app.enableVersioning({ type: VersioningType.HEADER, header: 'X-Version' });
  prepare(app);
  await app.listen(0, '127.0.0.1');
  apps.push(app);
  return app;
}

/** Creates an application with Nest's adapter. */
function createReference(prepare?: Prepare): Promise<NestExpressApplication> {
  return createApp(new ExpressAdapter(), (app) => {
    app.use((_req: Request, res: Response, next: NextFunction) => {
      for (const [name, value] of HEADERS) res.setHeader(name, value);
      next();
    });
    prepare?.(app);
  });
}

function createFast(
  options: FastExpressOptions,
  prepare?: Prepare,
): Promise<NestExpressApplication> {
  return createApp(
    new FastExpressAdapter(express(), { defaultHeaders: HEADERS, ...options }),
    prepare,
  );
}

/** Sends a request and returns the whole response. */
async function send(
  app: NestExpressApplication,
  { method = 'GET', path, headers, body }: SentRequest,
) {
  const { port } = app.getHttpServer().address() as AddressInfo;
  const sent = sendHttp({ host: '127.0.0.1', port, method, path, headers, agent: false }).end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const { statusCode, rawHeaders } = response;
  const fields = rawHeaders.flatMap((name, i) => (i % 2 ? [] : [[name, rawHeaders[i + 1] ?? '']]));
  return {
    status: statusCode,
    headers: fields.filter(([name]) => name !== 'Date').toSorted(),
    body: await text(response),
  };
}

type SentResponse = Awaited<ReturnType<typeof send>>;

/** The documented differences: objects have no ETag, and JSON has no charset. */
function removeJsonDifferences({ status, headers, body }: SentResponse): SentResponse {
  return {
    status,
    headers: headers
      .filter(([name, value]) => name !== 'ETag' || value === '"1"')
      .map(([name = '', value = '']) => [name, value.replace(/(json); charset=utf-8$/, '$1')]),
    body,
  };
}

const OBJECTS: SentRequest[] = [
  { path: '/objects' },
  { path: '/objects', method: 'HEAD' },
  { path: '/objects/' },
  { path: '/Objects' },
  { path: '/objects?a=1' },
  {
    path: '/objects',
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{"a":"ä"}',
  },
  {
    path: '/objects',
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{"a":',
  },
  { path: '/objects', method: 'DELETE' },
  { path: '/objects', method: 'OPTIONS' },
  { path: '/objects/date' },
  { path: '/objects/date/' },
  { path: '/objects/date', method: 'POST' },
  { path: '/objects/to-json' },
  { path: '/objects/typed' },
  { path: '/objects/typed', method: 'HEAD' },
  { path: '/objects/etag' },
  { path: '/objects/etag', headers: { 'If-None-Match': '"1"' } },
  { path: '/objects/etag', headers: { 'If-None-Match': '"2"' } },
  { path: '/objects/last-modified' },
  {
    path: '/objects/last-modified',
    headers: { 'If-Modified-Since': 'Wed, 21 Oct 2020 07:28:00 GMT' },
  },
  { path: '/objects/passthrough' },
  { path: '/objects/chunked' },
  { path: '/objects/chunked', method: 'HEAD' },
  {
    path: '/objects/request?a=1&a=2&b[c]=d',
    headers: { Host: 'pets.example:80', 'X-Sent': 'yes', 'X-Requested-With': 'XMLHttpRequest' },
  },
  { path: '/objects/exception' },
  { path: '/objects/own-exception' },
  { path: '/objects/csv-exception' },
  { path: '/objects/error' },
  { path: '/objects/next' },
  { path: '/objects/next-error' },
  { path: '/objects/invalid-status' },
  { path: '/objects/12?a=b&c' },
  { path: '/objects/a%20b%2Fc' },
  { path: '/objects/%zz' },
  { path: '/objects/12/parts/x', method: 'PATCH' },
  { path: '/objects/files/a/b' },
  { path: '/objects/optional' },
  { path: '/objects/optional/x' },
  ...['GET', 'POST', 'DELETE', 'OPTIONS', 'PROPFIND'].map((method) => ({
    path: '/objects/all',
    method,
  })),
  { path: '//objects' },
  { path: '/nope' },
  { path: '/nope', method: 'POST' },
  { path: '/' },
  { path: '/versions' },
  { path: '/versions', headers: { 'X-Version': '1' } },
  { path: '/versions', headers: { 'X-Version': '2' } },
  { path: '/versions', headers: { 'X-Version': '3' } },
  { path: '/hosts', headers: { Host: 'a.example.com' } },
  { path: '/hosts', headers: { Host: 'example.org' } },
];

const OTHERS: SentRequest[] = [
  { path: '/others/text' },
  { path: '/others/text', method: 'HEAD' },
  { path: '/others/text', headers: { 'If-None-Match': 'W/"5-AAAAAA"' } },
  { path: '/others/number' },
  { path: '/others/undefined' },
  { path: '/others/null' },
  { path: '/others/returned-error' },
  { path: '/others/no-content' },
  { path: '/others/reset-content' },
  { path: '/others/not-modified' },
  { path: '/others/redirect' },
  { path: '/others/res-json' },
  { path: '/others/res-end' },
  { path: '/others/remove-header' },
  { path: '/others/file' },
  { path: '/others/file', method: 'HEAD' },
  { path: '/others/missing-file' },
  { path: '/others/events' },
  { path: '/others/head', method: 'HEAD' },
  { path: '/others/options', method: 'OPTIONS' },
];

function getExpress(app: NestExpressApplication): Express {
  return app.getHttpAdapter().getInstance();
}

function getHeader({ headers }: SentResponse, name: string): string | undefined {
  return headers.find(([key]) => key === name)?.[1];
}

/** Spies on what Express calls for each request that is not dispatched directly. */
function spyOnRouter(adapter: FastExpressAdapter) {
  const { router } = adapter.getInstance<Express>();
  return jest.spyOn(router as unknown as { handle(): void }, 'handle');
}

function formatRequest({ method = 'GET', path, headers = {}, body = '' }: SentRequest): string {
  return [method, path, ...Object.entries(headers).flat(), body].join(' ').trim();
}

afterAll(async () => {
  await Promise.all(apps.map((app) => app.close()));
});

type Case = [title: string, sent: SentRequest];
const objectCases = OBJECTS.map((sent): Case => [formatRequest(sent), sent]);
const otherCases = OTHERS.map((sent): Case => [formatRequest(sent), sent]);

describe('FastExpressAdapter', () => {
  describe.each<[string, FastExpressOptions['optimizations'], Prepare?]>([
    ['with all optimizations', {}],
    ['without message classes', { messageClasses: false }],
    ['without headers as text', { headersAsText: false }],
    ['without direct dispatch', { directDispatch: false }],
    ['without the route index', { routeIndex: false }],
    [
      'with middleware for all requests',
      {},
      (app) => {
        app.useBodyParser('json').use(record('all'));
      },
    ],
    [
      'with settings of JSON',
      {},
      (app) => {
        app.set('json spaces', 2).set('json escape', true);
        app.set('json replacer', (key: string, value: unknown) => (key === 'id' ? 'ID' : value));
      },
    ],
    [
      'with other settings of Express',
      {},
      (app) => {
        app.disable('x-powered-by').set('trust proxy', true).set('query parser', 'extended');
      },
    ],
  ])("responds as Nest's adapter %s", (_, optimizations, prepare) => {
    let reference: NestExpressApplication;
    let fast: NestExpressApplication;

    beforeAll(async () => {
      reference = await createReference(prepare);
      fast = await createFast({ optimizations }, prepare);
    });

    it.each(objectCases)('%s', async (_title, sent) => {
      const expected = removeJsonDifferences(await send(reference, sent));
      expect(await send(fast, sent)).toEqual(expected);
    });

    it.each(otherCases)('%s', async (_title, sent) => {
      expect(await send(fast, sent)).toEqual(await send(reference, sent));
    });
  });

  describe("responds exactly as Nest's adapter without JSON replies", () => {
    let reference: NestExpressApplication;
    let fast: NestExpressApplication;

    beforeAll(async () => {
      reference = await createReference();
      fast = await createFast({ optimizations: { jsonReply: false } });
    });

    it.each([...objectCases, ...otherCases])('%s', async (_title, sent) => {
      expect(await send(fast, sent)).toEqual(await send(reference, sent));
    });
  });

  describe("runs what is registered with Express as Nest's adapter", () => {
    const prepare: Prepare = (app) => {
      const own = getExpress(app);
      const subApp = express().get('/x', (req, res) => res.json([req.baseUrl, req.url, req.path]));
      app.use('/sub', subApp);
      app.use(
        '/router',
        express.Router().get('/x', (_req, res) => res.json({ router: true })),
      );
      app.use('/rewritten', (req: Request, _res: Response, next: NextFunction) => {
        req.url = '/12';
        next();
      });
      own.get('/own', (_req, res) => res.json({ own: true }));
      own.get(['/list/a', '/list/b'], (req, res) => res.json([req.path]));
      own.get(/^\/regexp-(\d+)$/, (req: Request, res: Response) => res.json(req.params));
      const sendPrototype = ({ params }: Request, res: Response) => {
        res.json({ isObject: Object.getPrototypeOf(params) === Object.prototype });
      };
      own.get(/^\/no-groups$/, sendPrototype);
      own.get('/no-params', sendPrototype);
      own.get(['/no-params-a', '/no-params-b'], sendPrototype);
      own.get('/params/:id', (req, res) => res.json(req.params));
      own.param('id', (req, _res, next, id: string) => {
        req.params.id = `id ${id}`;
        next();
      });
      own.get('/several', record('first'), record('second'), (_req, res) => res.json({}));
      own.get('/twice', record('first'));
      own.get('/twice', (_req, res) => res.json({ twice: true }));
      own.get('/moved', (req, _res, next) => {
        req.url = '/own-after';
        next();
      });
      own.get('/own-after', (_req, res) => res.json({ after: true }));
      app.use('/own-after-error', (_req: Request, _res: Response, next: NextFunction) => {
        next(new BadRequestException());
      });
      own.get('/rejected', async () => Promise.reject(new BadRequestException('rejected')));
    };
    let reference: NestExpressApplication;
    let fast: NestExpressApplication;

    beforeAll(async () => {
      reference = await createReference(prepare);
      fast = await createFast({ optimizations: {} }, prepare);
    });

    it.each([
      ['/sub/x'],
      ['/router/x'],
      ['/rewritten'],
      ['/own'],
      ['/list/b'],
      ['/regexp-12'],
      ['/no-groups'],
      ['/no-params'],
      ['/no-params-a'],
      ['/params/12'],
      ['/several'],
      ['/twice'],
      ['/moved'],
      ['/own-after-error'],
      ['/rejected'],
    ])('%s', async (path) => {
      const expected = removeJsonDifferences(await send(reference, { path }));
      expect(removeJsonDifferences(await send(fast, { path }))).toEqual(expected);
    });
  });

  describe('differs from the adapter of Nest', () => {
    const path = '/objects';
    let reference: NestExpressApplication;
    let fast: NestExpressApplication;

    beforeAll(async () => {
      reference = await createReference();
      fast = await createFast({ jsonHeaders: [['Cache-Control', 'no-store']] });
    });

    it('sends objects without ETag', async () => {
      expect(getHeader(await send(reference, { path }), 'ETag')).toMatch(/^W\//);
      expect(getHeader(await send(fast, { path }), 'ETag')).toBeUndefined();
    });

    it('sends objects without charset', async () => {
      const getType = async (app: NestExpressApplication) =>
        getHeader(await send(app, { path }), 'Content-Type');
      expect(await getType(reference)).toBe('application/json; charset=utf-8');
      expect(await getType(fast)).toBe('application/json');
    });

    it('sends no 304 for If-None-Match: * unless the handler has set an ETag', async () => {
      const headers = { 'If-None-Match': '*' };
      expect((await send(reference, { path, headers })).status).toBe(304);
      expect((await send(fast, { path, headers })).status).toBe(200);
    });

    it('sends jsonHeaders with objects only', async () => {
      const getCacheControl = async (sentPath: string) =>
        getHeader(await send(fast, { path: sentPath }), 'Cache-Control');
      expect(await getCacheControl(path)).toBe('no-store');
      expect(await getCacheControl('/nope')).toBe('no-store');
      expect(await getCacheControl('/others/text')).toBeUndefined();
      expect(await getCacheControl('/others/no-content')).toBeUndefined();
    });

    it.each<[string, FastExpressOptions['optimizations']]>([
      ['as text', {}],
      ['one by one', { headersAsText: false }],
      ['one by one, without own message classes', { messageClasses: false }],
    ])('sends jsonHeaders %s, unless the handler sets them', async (_title, optimizations) => {
      const app = await createFast({ jsonHeaders: [['Cache-Control', 'no-store']], optimizations });
      const getHeaders = async (sentPath: string) => {
        const response = await send(app, { path: sentPath });
        return ['Cache-Control', 'Content-Type', 'X-Default'].map((name) =>
          getHeader(response, name),
        );
      };
      const json = 'application/json';
      expect(await getHeaders(path)).toEqual(['no-store', json, 'yes']);
      expect(await getHeaders('/objects/cached')).toEqual(['max-age=1', json, 'yes']);
      expect(await getHeaders('/objects/removed-default')).toEqual(['no-store', json, undefined]);
      expect(await getHeaders('/objects/typed')).toEqual([
        'no-store',
        'application/problem+json',
        'yes',
      ]);
    });

    it('does not call res.json() for objects', async () => {
      const own = getExpress(fast);
      const json = jest.spyOn(own.response, 'json');
      await send(fast, { path });
      expect(json).not.toHaveBeenCalled();
      await send(fast, { path: '/others/res-json' });
      expect(json).toHaveBeenCalledTimes(1);
      json.mockRestore();
    });

    it('has its own HTTP server, without return503OnClosing and forceCloseConnections', () => {
      const adapter = new FastExpressAdapter();
      const use = jest.spyOn(adapter.getInstance<Express>(), 'use');
      adapter.initHttpServer({ return503OnClosing: true, forceCloseConnections: true });
      expect(use).not.toHaveBeenCalled();
      expect((adapter.getHttpServer() as Server).listenerCount('connection')).toBe(
        createServer().listenerCount('connection'),
      );
    });
  });
});

describe('Direct dispatch', () => {
  let app: NestExpressApplication;
  let adapter: FastExpressAdapter;
  let handle: ReturnType<typeof spyOnRouter>;

  beforeAll(async () => {
    app = await createFast({}, (created) => {
      created.use('/others', record('others'));
    });
    adapter = app.getHttpAdapter() as unknown as FastExpressAdapter;
    handle = spyOnRouter(adapter);
  });

  beforeEach(() => {
    handle.mockClear();
  });

  it.each([
    ['a literal path', '/objects?a=1', 0],
    ['a parameter', '/objects/12', 0],
    ['an unknown path', '/nope', 1],
    ['a path with middleware', '/others/text', 1],
    ['a path with middleware of a module', '/objects/date', 1],
    ['an encoded path', '/objects/a%20b', 1],
  ])("calls Express's router for %s: GET %s, %d times", async (_, path, times) => {
    await send(app, { path });
    expect(handle).toHaveBeenCalledTimes(times);
  });

  it('is off while the tracing channel of Express has subscribers', async () => {
    const routes: unknown[] = [];
    const subscribe = (message: unknown) => {
      routes.push((message as { route?: string }).route);
    };
    diagnostics.subscribe('tracing:express.router.request:start', subscribe);
    await send(app, { path: '/objects' });
    diagnostics.unsubscribe('tracing:express.router.request:start', subscribe);
    expect(routes).toContain('/objects');
  });

  it('is off if the adapter has request hooks', async () => {
    const hooked = await createFast({});
    const hookedAdapter = hooked.getHttpAdapter() as unknown as FastExpressAdapter;
    const events: string[] = [];
    hookedAdapter.setOnRequestHook((req, _res, done) => {
      events.push(`request ${req.path}`);
      done();
    });
    hookedAdapter.setOnResponseHook((req) => {
      events.push(`response ${req.path}`);
    });
    await send(hooked, { path: '/objects' });
    expect(events).toEqual(['request /objects', 'response /objects']);
  });

  it('leaves the prototypes of requests and responses unchanged in Express', async () => {
    const changed: unknown[] = [];
    const original = Object.setPrototypeOf.bind(Object);
    const spy = jest.spyOn(Object, 'setPrototypeOf');
    spy.mockImplementation((target: object, prototype: object | null) => {
      if (Object.getPrototypeOf(target) !== prototype) changed.push(target);
      return original(target, prototype) as object;
    });
    const { port } = app.getHttpServer().address() as AddressInfo;
    const [response] = (await once(
      getHttp({ host: '127.0.0.1', port, path: '/others/text' }),
      'response',
    )) as [IncomingMessage];
    await text(response);
    const count = spy.mock.calls.length;
    spy.mockRestore();
    // Express sets both; setting the prototype that an object already has costs nothing.
    expect(count).toBeGreaterThanOrEqual(2);
    expect(changed.filter((target) => target instanceof IncomingMessage)).toEqual([]);
    expect(changed.filter((target) => target instanceof ServerResponse)).toEqual([]);
  });
});

describe('useBeforeRouting()', () => {
  function createRecorded(): { adapter: FastExpressAdapter; received: unknown[] } {
    const adapter = new FastExpressAdapter(express(), { defaultHeaders: HEADERS });
    const received: unknown[] = [];
    for (const name of ['first', 'second']) {
      adapter.useBeforeRouting((req, _res, next) => {
        received.push([name, req.url]);
        next();
      });
    }
    return { adapter, received };
  }
  const expected = [
    ['first', '/objects'],
    ['second', '/objects'],
  ];

  it('adds middleware that runs in order and keeps direct dispatch', async () => {
    const { adapter, received } = createRecorded();
    const app = await createApp(adapter);
    const handle = spyOnRouter(adapter);
    await send(app, { path: '/objects' });
    expect(received).toEqual(expected);
    expect(handle).not.toHaveBeenCalled();
  });

  it('adds middleware that runs once if Express handles the request', async () => {
    const { adapter, received } = createRecorded();
    const app = await createApp(adapter, (created) => {
      created.use(record('all'));
    });
    await send(app, { path: '/objects' });
    expect(received).toEqual(expected);
  });

  it.each<[string, string, (own: Express) => Express]>([
    ['calls', '/objects', (own) => own],
    ['mounts', '/mounted/objects', (own) => express().use('/mounted', own)],
  ])('adds middleware that runs if another server %s Express', async (_, path, mount) => {
    const { adapter, received } = createRecorded();
    const app = await createApp(adapter);
    const server = createServer(mount(adapter.getInstance<Express>())).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const other = { getHttpServer: () => server } as unknown as NestExpressApplication;
    const response = await send(other, { path });
    expect(response.status).toBe(200);
    expect(getHeader(response, 'X-Default')).toBe('yes');
    expect(getHeader(response, 'Content-Type')).toBe('application/json');
    expect(response.body).toBe((await send(app, { path: '/objects' })).body);
    expect(received.slice(0, 2)).toEqual(expected);
    server.close();
  });
});

describe('findRoutes()', () => {
  it('returns the routes that match a path, without middleware of modules', async () => {
    const app = await createFast({});
    const adapter = app.getHttpAdapter() as unknown as FastExpressAdapter;
    const find = (path: string) => adapter.findRoutes(path).map((route) => route.path);
    expect(find('/objects/date')).toEqual(['/objects/date', '/objects/:id']);
    expect(find('/others/text')).toEqual(['/others/text']);
    expect(find('/nope')).toEqual([]);
  });
});
