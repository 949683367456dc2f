import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Controller, Get, Header, Module, Res, StreamableFile } from '@nestjs/common';
import type { Response } from 'express';
import request from 'supertest';
import { createTestApp, type TestApp } from '../fixtures/app.js';

const FILE = fileURLToPath(new URL('../../package.json', import.meta.url));

@Controller('file')
class FileController {
  @Get('piped')
  pipeFile(@Res() res: Response) {
    const file = createReadStream(FILE);
    file.pipe(res);
  }

  @Get('stream')
  getFile(): StreamableFile {
    const file = createReadStream(FILE);
    return new StreamableFile(file);
  }

  @Get('options')
  getFileWithOptions(): StreamableFile {
    const file = createReadStream(FILE);
    return new StreamableFile(file, {
      type: 'application/json',
      disposition: 'attachment; filename="package.json"',
    });
  }

  @Get('length')
  getFileWithLength(): StreamableFile {
    return new StreamableFile(Buffer.from('abc'), { type: 'text/plain', length: 3 });
  }

  @Get('buffer')
  getBuffer(): StreamableFile {
    return new StreamableFile(Buffer.from('äbc'));
  }

  @Get('response')
  getFileChangingResponseObjDirectly(@Res({ passthrough: true }) res: Response): StreamableFile {
    const file = createReadStream(FILE);
    res.set({
      'Content-Type': 'application/json',
      'Content-Disposition': 'attachment; filename="package.json"',
    });
    return new StreamableFile(file);
  }

  @Get('static')
  @Header('Content-Type', 'application/json')
  @Header('Content-Disposition', 'attachment; filename="package.json"')
  getFileUsingStaticValues(): StreamableFile {
    const file = createReadStream(FILE);
    return new StreamableFile(file);
  }

  @Get('sent')
  sendFile(@Res() res: Response) {
    res.sendFile(FILE);
  }

  @Get('downloaded')
  downloadFile(@Res() res: Response) {
    res.download(FILE, 'a.json');
  }
}

@Module({ controllers: [FileController] })
class FileModule {}

describe('the chapter "Streaming files"', () => {
  let server: ReturnType<TestApp['app']['getHttpServer']>;
  let content: Buffer;

  beforeAll(async () => {
    const { app } = await createTestApp({ features: [FileModule] });
    server = app.getHttpServer();
    content = await readFile(FILE);
  });

  it.each([
    ['piped', undefined, undefined],
    ['stream', 'application/octet-stream', undefined],
    ['options', 'application/json', 'attachment; filename="package.json"'],
    ['response', 'application/json; charset=utf-8', 'attachment; filename="package.json"'],
    ['static', 'application/json; charset=utf-8', 'attachment; filename="package.json"'],
    ['sent', 'application/json; charset=utf-8', undefined],
    ['downloaded', 'application/json; charset=utf-8', 'attachment; filename=a.json'],
  ])('sends the file of /file/%s with its headers', async (path, type, disposition) => {
    const { headers } = await request(server)
      .get(`/file/${path}`)
      .responseType('blob')
      .expect(200, content);
    expect(headers['content-type']).toBe(type);
    expect(headers['content-disposition']).toBe(disposition);
  });

  it('sends the length in the options, and the length of a buffer', async () => {
    await request(server).get('/file/length').expect('Content-Length', '3').expect(200, 'abc');
    const { headers } = await request(server).get('/file/buffer').expect(200, Buffer.from('äbc'));
    expect(headers['content-length']).toBe('4');
  });

  it('responds to HEAD without a body', async () => {
    await request(server)
      .head('/file/options')
      .expect('Content-Type', 'application/json')
      .expect(200);
  });

  it('sends a range of a file with res.sendFile()', async () => {
    await request(server)
      .get('/file/sent')
      .set('Range', 'bytes=2-5')
      .responseType('blob')
      .expect('Content-Range', `bytes 2-5/${content.length}`)
      .expect(206, content.subarray(2, 6));
    await request(server)
      .get('/file/sent')
      .set('Range', 'bytes=9000000-')
      .expect('Content-Range', `bytes */${content.length}`)
      .expect(416, { detail: 'Range Not Satisfiable' });
  });
});
