import {
  Controller,
  Get,
  HttpCode,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  NotFoundException,
  type MessageEvent,
  Sse,
  StreamableFile,
} from '@nestjs/common';
import compression from 'compression';
import { of } from 'rxjs';
import request, { type Test } from 'supertest';
import { createTestApp, type TestApp } from '../fixtures/app.js';

const CATS = Array.from({ length: 200 }, (_, id) => ({ id, name: 'Mäusefänger' }));

@Controller('cats')
class CatsController {
  @Get()
  findAll() {
    return CATS;
  }

  @Get('short')
  findShort() {
    return [];
  }

  @Get('text')
  findText() {
    return 'cat '.repeat(1000);
  }

  @Get('file')
  findFile() {
    return new StreamableFile(Buffer.from('cat '.repeat(1000)), { type: 'text/csv' });
  }

  @Get('not-found')
  findNone() {
    throw new NotFoundException('cat '.repeat(1000));
  }

  @Get('no-content')
  @HttpCode(204)
  findNothing() {
    return undefined;
  }

  @Sse('events')
  findEvents() {
    return of<MessageEvent>({ data: 'cat' });
  }
}

@Module({ controllers: [CatsController] })
class GlobalCompressionModule {}

@Module({ controllers: [CatsController] })
class CompressionModule implements NestModule {
  configure(consumer: MiddlewareConsumer) {
    consumer.apply(compression()).forRoutes(CatsController);
  }
}

describe.each([
  [
    'app.use()',
    {
      features: [GlobalCompressionModule],
      prepare: (app: { use(middleware: unknown): unknown }) => {
        app.use(compression());
      },
    },
  ],
  ['MiddlewareConsumer', { features: [CompressionModule] }],
])('the chapter "Compression", with %s', (_, options) => {
  let testApp: TestApp;

  beforeAll(async () => {
    testApp = await createTestApp(options);
  });

  function get(path: string, encoding = 'gzip'): Test {
    return request(testApp.app.getHttpServer()).get(path).set('Accept-Encoding', encoding);
  }

  it.each(['gzip', 'deflate'])('compresses JSON with %s', async (encoding) => {
    const { headers } = await get('/cats', encoding)
      .expect('Content-Encoding', encoding)
      .expect('Content-Type', 'application/json')
      .expect('Vary', /Accept-Encoding/)
      .expect(200, CATS);
    expect(headers).not.toHaveProperty('content-length');
    expect(headers).toHaveProperty('x-request-id');
  });

  it('compresses text, files, and errors', async () => {
    const text = 'cat '.repeat(1000);
    await get('/cats/text').expect('Content-Encoding', 'gzip').expect(200, text);
    await get('/cats/file').expect('Content-Encoding', 'gzip').expect(200, text);
    await get('/cats/not-found').expect('Content-Encoding', 'gzip').expect(404, { detail: text });
  });

  it('sends short responses, and responses to other clients, uncompressed', async () => {
    for (const [path, encoding] of [
      ['/cats/short', 'gzip'],
      ['/cats', 'identity'],
    ] as const) {
      const { headers } = await get(path, encoding).expect(200);
      expect(headers).not.toHaveProperty('content-encoding');
      expect(headers).toHaveProperty('content-length');
    }
    await get('/cats/no-content').expect(204, '');
  });

  it('responds to HEAD and to event streams', async () => {
    const head = await request(testApp.app.getHttpServer()).head('/cats').expect(200);
    expect(head.text).toBeUndefined();
    const events = await get('/cats/events').buffer(true).expect(200);
    expect(events.text).toContain('data: cat\n\n');
  });

  it('logs the request with its route and status', async () => {
    testApp.log.length = 0;
    await get('/cats').expect(200);
    expect(
      testApp.log
        .filter(({ context }) => context === 'RequestLog')
        .map(({ route, statusCode }) => [route, statusCode]),
    ).toEqual([['/cats', 200]]);
  });
});
