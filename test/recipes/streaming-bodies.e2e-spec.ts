import { Readable } from 'node:stream';
import { Controller, Get, Header, HttpCode, Module, NotFoundException } from '@nestjs/common';
import request from 'supertest';
import { createTestApp, type TestApp } from '../fixtures/app.js';

/* eslint-disable @typescript-eslint/require-await -- generators need no asynchronous work to be asynchronous */

@Controller('streams')
class StreamsController {
  @Get('text')
  async *streamText() {
    yield 'one ';
    yield 'two';
  }

  @Get('objects')
  async *streamObjects() {
    yield { id: 1 };
    yield { id: 2 };
  }

  @Get('bytes')
  @Header('Content-Type', 'image/png')
  @HttpCode(203)
  streamBytes() {
    return Readable.from([Buffer.from('one '), Buffer.from('two')]);
  }

  @Get('web')
  streamWeb() {
    return new ReadableStream<string>({
      start(controller) {
        controller.enqueue('one ');
        controller.enqueue('two');
        controller.close();
      },
    });
  }

  @Get('response')
  respond() {
    return new Response('{"id":1}', {
      status: 202,
      headers: { 'Content-Type': 'application/json', 'X-Cat': 'Tom' },
    });
  }

  @Get('empty')
  async *streamNothing() {
    // Yields nothing.
  }

  @Get('not-found')
  @Header('Content-Type', 'image/png')
  async *streamNotFound() {
    throw new NotFoundException('No cat');
    yield 'unreachable';
  }

  @Get('failing')
  async *streamFailure() {
    throw new Error('disk failure');
    yield 'unreachable';
  }

  @Get('interrupted')
  async *streamInterrupted() {
    yield 'one ';
    throw new Error('disk failure');
  }
}

@Module({ controllers: [StreamsController] })
class StreamsModule {}

describe('a handler that returns a stream', () => {
  let testApp: TestApp;
  let server: ReturnType<TestApp['app']['getHttpServer']>;

  beforeAll(async () => {
    testApp = await createTestApp({ features: [StreamsModule] });
    server = testApp.app.getHttpServer();
  });

  it.each([
    ['text', 200, 'text/plain; charset=utf-8', 'one two'],
    ['objects', 200, 'application/x-ndjson', '{"id":1}\n{"id":2}\n'],
    ['bytes', 203, 'image/png', 'one two'],
    ['web', 200, 'text/plain; charset=utf-8', 'one two'],
    ['response', 202, 'application/json; charset=utf-8', '{"id":1}'],
    ['empty', 200, undefined, ''],
    ['not-found', 404, 'application/json', '{"detail":"No cat"}'],
    ['failing', 500, 'application/json', '{"detail":"Internal Server Error"}'],
  ])('sends /streams/%s with status %d and type %s', async (path, status, type, expected) => {
    const { headers } = await request(server)
      .get(`/streams/${path}`)
      .responseType('blob')
      .expect(status, Buffer.from(expected));
    expect(headers['content-type']).toBe(type);
    expect(headers).toHaveProperty('x-request-id');
  });

  it('sends the headers of a Response', async () => {
    await request(server).get('/streams/response').expect('X-Cat', 'Tom').expect(202, { id: 1 });
  });

  it('responds to HEAD without reading the stream', async () => {
    await request(server).head('/streams/failing').expect(200);
  });

  it('closes the connection when the stream fails after its first chunk', async () => {
    testApp.log.length = 0;
    await expect(request(server).get('/streams/interrupted')).rejects.toThrow('aborted');
    expect(JSON.stringify(testApp.log)).toContain('disk failure');
    await request(server).get('/system/healthz').expect(200);
  });
});
