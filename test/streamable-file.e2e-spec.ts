import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { Controller, Get, Header, Module, NotFoundException, StreamableFile } from '@nestjs/common';
import request from 'supertest';
import { createTestApp, type TestApp } from './fixtures/app.js';
import { openSocket, parseResponses, sendRaw } from './fixtures/http.js';
import { itOnLinux } from './fixtures/linux.js';
import type { LogRecord } from './fixtures/log-records.js';
import { waitFor } from './fixtures/wait-for.js';

const MISSING = '/nope/secret.txt';
const OPTIONS = { type: 'text/csv', disposition: 'attachment; filename="pets.csv"', length: 10 };

/** Creates a stream that fails after some chunks. */
function createFailingStream(chunks: number, error: Error): Readable {
  return Readable.from(
    (function* () {
      for (let i = 0; i < chunks; i++) yield Buffer.from('half');
      throw error;
    })(),
    { objectMode: false },
  );
}

@Controller()
class FilesController {
  @Get('missing')
  @Header('Cache-Control', 'public')
  missing() {
    return new StreamableFile(createReadStream(MISSING), OPTIONS);
  }

  @Get('missing-late')
  async missingLate() {
    const file = new StreamableFile(createReadStream(MISSING), OPTIONS);
    await once(file.getStream(), 'close');
    return file;
  }

  @Get('unauthorized')
  unauthorized() {
    return new StreamableFile(createFailingStream(0, new NotFoundException('No photo')), OPTIONS);
  }

  @Get('failing')
  failing() {
    return new StreamableFile(createFailingStream(1, new Error('disk failure')), OPTIONS);
  }

  @Get('own-handler')
  ownHandler() {
    return new StreamableFile(createReadStream(MISSING), OPTIONS).setErrorHandler((_, response) => {
      response.statusCode = 410;
      response.send('gone');
    });
  }

  @Get('generator')
  async *generator() {
    yield* await Promise.reject<string[]>(new Error('no rows'));
  }

  @Get('failing-generator')
  async *failingGenerator() {
    yield 'half';
    await new Promise(setImmediate);
    throw new Error('no more rows');
  }

  @Get('zero')
  zero() {
    return new StreamableFile(createReadStream('/dev/zero'));
  }

  @Get('present')
  present() {
    return new StreamableFile(createReadStream(import.meta.filename));
  }
}

@Module({ controllers: [FilesController] })
class FilesModule {}

let app: TestApp['app'];
let log: LogRecord[];

beforeAll(async () => {
  ({ app, log } = await createTestApp({ features: [FilesModule] }));
});

beforeEach(() => {
  log.length = 0;
});

/** Waits for the record of the request, and returns all records that it has caused. */
async function readLog(): Promise<LogRecord[]> {
  await waitFor(() => log.some(({ context }) => context === 'RequestLog'));
  return log;
}

describe('a StreamableFile that fails before its first byte', () => {
  it.each(['/missing', '/missing-late'])(
    'is a 500 without the headers of the file: %s',
    async (path) => {
      const { headers } = await request(app.getHttpServer())
        .get(path)
        .expect(500, '{"detail":"Internal Server Error"}')
        .expect('Content-Type', 'application/json')
        .expect('Content-Length', '34')
        .expect('Cache-Control', 'no-store');
      expect(headers).not.toHaveProperty('content-disposition');
      const requestId = headers['x-request-id'];
      expect(await readLog()).toMatchObject([
        { context: 'ErrorFilter', level: 'error', requestId, err: { code: 'ENOENT' } },
        { context: 'RequestLog', level: 'error', requestId, msg: 'Request completed' },
      ]);
    },
  );

  it('is a 500 without a body for HEAD', async () => {
    const { text, headers } = await request(app.getHttpServer())
      .head('/missing')
      .expect(500)
      .expect('Content-Type', 'application/json');
    expect(text).toBeUndefined();
    expect(headers).not.toHaveProperty('content-disposition');
  });

  it('has the status of an HttpException', async () => {
    await request(app.getHttpServer()).get('/unauthorized').expect(404, { detail: 'No photo' });
    expect(await readLog()).toMatchObject([{ context: 'RequestLog' }]);
  });

  it("is handled by the author's own error handler", async () => {
    await request(app.getHttpServer()).get('/own-handler').expect(410, 'gone');
    expect(await readLog()).toMatchObject([{ context: 'RequestLog' }]);
  });

  it('does not stop the connection from serving requests', async () => {
    const format = (path: string, headers = '') =>
      `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`;
    const received = await sendRaw(
      app,
      format('/missing') + format('/nope') + format('/missing', 'Connection: close\r\n'),
    );
    expect(parseResponses(received)).toMatchObject([
      { status: 500, body: '{"detail":"Internal Server Error"}' },
      { status: 404 },
      { status: 500, body: '{"detail":"Internal Server Error"}' },
    ]);
  });

  it('is a 500 for an async iterable', async () => {
    await request(app.getHttpServer())
      .get('/generator')
      .expect(500, { detail: 'Internal Server Error' });
    expect(await readLog()).toMatchObject([
      { context: 'ErrorFilter', err: { message: 'no rows' } },
      { context: 'RequestLog' },
    ]);
  });
});

describe('a StreamableFile that fails after its first byte', () => {
  it.each([
    ['/failing', 'disk failure'],
    ['/failing-generator', 'no more rows'],
  ])('closes the connection, and logs the error once: %s', async (path, message) => {
    await expect(request(app.getHttpServer()).get(path)).rejects.toThrow('aborted');
    const records = await readLog();
    const requestId = records[0]?.requestId;
    expect(requestId).toEqual(expect.any(String));
    expect(records).toMatchObject([
      { level: 'error', requestId, err: { message } },
      {
        context: 'RequestLog',
        level: 'error',
        requestId,
        msg: 'Request failed after the response had started',
      },
    ]);
  });
});

// Requires /dev/zero and /proc.
describe('a StreamableFile whose client disconnects', () => {
  async function countOpenFiles(path: string): Promise<number> {
    const names = await readdir('/proc/self/fd');
    const targets = await Promise.all(
      names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')),
    );
    return targets.filter((target) => target === path).length;
  }

  itOnLinux('is closed, without an error in the log', async () => {
    const sockets = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const socket = await openSocket(app);
        socket.write('GET /zero HTTP/1.1\r\nHost: a\r\n\r\n');
        await once(socket, 'data');
        return socket;
      }),
    );
    expect(await countOpenFiles('/dev/zero')).toBe(5);
    for (const socket of sockets) socket.destroy();
    await waitFor(async () => (await countOpenFiles('/dev/zero')) === 0);
    await waitFor(() => log.length === 5);
    expect(new Set(log.map(({ msg }) => msg))).toEqual(new Set(['Request aborted']));
  });

  itOnLinux('is closed for HEAD', async () => {
    await request(app.getHttpServer()).head('/present').expect(200);
    await waitFor(async () => (await countOpenFiles(import.meta.filename)) === 0);
  });
});
