import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import {
  Body,
  type CanActivate,
  ConflictException,
  Controller,
  type ExecutionContext,
  Get,
  HttpCode,
  type MiddlewareConsumer,
  Module,
  type NestInterceptor,
  type NestModule,
  Post,
  RawBody,
  type RawBodyRequest,
  Req,
  RequestMapping,
  RequestMethod,
  Res,
  UploadedFile,
  UploadedFiles,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import {
  AnyFilesInterceptor,
  FileInterceptor,
  type NestExpressApplication,
} from '@nestjs/platform-express';
import { IsString } from 'class-validator';
import express, { type NextFunction, type Request, type Response } from 'express';
import request, { type Test } from 'supertest';
import { BodyLimit } from '../src/platform/http/body-limit.decorator.js';
import { createTestApp, type TestApp } from './fixtures/app.js';
import { openSocket, parseResponses, sendRaw } from './fixtures/http.js';
import { waitFor } from './fixtures/wait-for.js';

class PetDto {
  @IsString()
  name!: string;
}

class InvoicesInterceptor implements NestInterceptor {
  intercept: NestInterceptor['intercept'] = (_context, next) => next.handle();
}

class ForbidGuard implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

/** Checks a signature of the body, as the receiver of a webhook does. */
class SignatureGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { rawBody, headers } = context.switchToHttp().getRequest<RawBodyRequest<Request>>();
    return rawBody !== undefined && headers['x-signature'] === sign(rawBody);
  }
}

function sign(bytes: string | Buffer): string {
  return createHmac('sha256', 'secret').update(bytes).digest('hex');
}

const METHODS = [
  ...['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'SEARCH', 'QUERY'],
  ...['PROPFIND', 'PROPPATCH', 'MKCOL', 'COPY', 'MOVE', 'LOCK', 'UNLOCK'],
] as const;

/** Has a handler with a body for each method that Nest supports. */
@Controller('methods')
class MethodsController {}

for (const method of METHODS) {
  const prototype = MethodsController.prototype as unknown as Record<string, unknown>;
  const descriptor = { value: (pet: PetDto) => ({ method, pet }) };
  Object.defineProperty(prototype, method, descriptor);
  Body()(prototype, method, 0);
  Reflect.defineMetadata('design:paramtypes', [PetDto], prototype, method);
  HttpCode(200)(prototype, method, descriptor);
  RequestMapping({ path: method.toLowerCase(), method: RequestMethod[method] })(
    prototype,
    method,
    descriptor,
  );
}

@Controller('no-body')
class NoBodyController {
  @Get()
  read() {
    return { ok: true };
  }

  @Post()
  @HttpCode(200)
  create() {
    return { ok: true };
  }

  @Post('signed')
  @HttpCode(200)
  @UseGuards(SignatureGuard)
  receive() {
    return { ok: true };
  }

  @Post('request')
  @HttpCode(200)
  readRequest(@Req() { body }: Request) {
    return { body: body as unknown };
  }
}

@Controller('raw-body')
class RawBodyController {
  @Post()
  @HttpCode(200)
  @UseGuards(SignatureGuard)
  create(@Body() pet: PetDto, @RawBody() bytes: Buffer) {
    return { pet, raw: bytes.toString() };
  }

  @Post('any')
  @HttpCode(200)
  receive(@RawBody() bytes: Buffer | undefined) {
    return { raw: bytes?.toString('hex') ?? null };
  }
}

interface Upload {
  size: number;
  originalname: string;
}

@Controller('photos')
class PhotosController {
  bytes = 0;

  @Post()
  @UseInterceptors(FileInterceptor('photo'))
  create(@UploadedFile() photo: Upload, @Body() pet: PetDto) {
    return { size: photo.size, pet };
  }

  @Post('only')
  @UseInterceptors(FileInterceptor('photo'))
  createOnly(@UploadedFile() photo: Upload) {
    return { size: photo.size };
  }

  @Post('small')
  @UseInterceptors(FileInterceptor('photo', { limits: { fileSize: 1000 } }))
  createSmall(@UploadedFile() photo: Upload) {
    return { size: photo.size };
  }

  @Post('forbidden')
  @UseGuards(ForbidGuard)
  @UseInterceptors(FileInterceptor('photo'))
  createForbidden(@UploadedFile() photo: Upload, @Body() pet: PetDto) {
    return { size: photo.size, pet };
  }

  @Post('any')
  @UseInterceptors(AnyFilesInterceptor())
  createAny(@UploadedFiles() photos: Upload[]) {
    return { sizes: photos.map(({ size }) => size) };
  }

  @Post('json')
  @UseInterceptors(InvoicesInterceptor)
  createWithoutFile(@Body() pet: PetDto) {
    return pet;
  }

  @Post('stream')
  @HttpCode(200)
  async stream(@Req() req: Request) {
    let bytes = 0;
    for await (const chunk of req) bytes += (chunk as Buffer).length;
    return { bytes, body: (req.body as unknown) ?? null };
  }

  @Post('iteration')
  async stopIteration(@Req() req: Request) {
    for await (const chunk of req) if (chunk) throw new ConflictException('Stopped');
  }

  @Post('late')
  async stopAfterResponse(@Req() req: Request, @Res() res: Response) {
    let bytes = 0;
    for await (const chunk of req) {
      if (bytes === 0) res.status(409).json({ detail: 'Stopped' });
      bytes += (chunk as Buffer).length;
      if (bytes > 1_000_000 || bytes === 10) break;
      await nextTurn();
    }
  }

  @Post('rest')
  async readAfterResponse(@Req() req: Request, @Res() res: Response) {
    this.bytes = 0;
    for await (const chunk of req) {
      if (this.bytes === 0) res.json({});
      this.bytes += (chunk as Buffer).length;
    }
  }

  @Post('pipeline')
  async stopPipeline(@Req() req: Request) {
    await pipeline(req, async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks)
        if (chunk.length > 0) throw new ConflictException('Stopped');
    });
  }
}

@Controller('formats')
class FormatsController {
  @Post('form')
  createFromForm(@Body() pet: PetDto) {
    return pet;
  }

  @Post('bytes')
  createFromBytes(@Req() req: Request) {
    return { isBuffer: Buffer.isBuffer(req.body), hex: (req.body as Buffer).toString('hex') };
  }

  @Post('text')
  createFromText(@Body() body: string) {
    return { text: body };
  }

  @Post('replaced')
  createReplaced(@Body() pet: PetDto) {
    return pet;
  }

  @Post('started')
  async createStarted(@Body() body: unknown, @Req() req: Request & { first?: Buffer }) {
    let rest = '';
    for await (const chunk of req) rest += String(chunk);
    return { first: req.first?.toString(), rest, body: body ?? null };
  }
}

@Module({
  controllers: [
    MethodsController,
    NoBodyController,
    RawBodyController,
    PhotosController,
    FormatsController,
  ],
})
class BodiesModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(express.urlencoded({ extended: true })).forRoutes('formats/form');
    consumer.apply(express.raw({ type: () => true, limit: '1mb' })).forRoutes('formats/bytes');
    consumer.apply(express.text({ type: 'text/csv' })).forRoutes('formats/text');
    consumer
      .apply((req: Request, _res: Response, next: NextFunction) => {
        req.body = { name: 'from the middleware' };
        next();
      })
      .forRoutes('formats/replaced');
    consumer
      .apply((req: Request & { first?: Buffer }, _res: Response, next: NextFunction) => {
        req.once('readable', () => {
          req.first = req.read(5) as Buffer;
          next();
        });
      })
      .forRoutes('formats/started');
  }
}

abstract class EchoController {
  @Post('inherited')
  @HttpCode(200)
  createInherited(@Body() pet: PetDto) {
    return { length: pet.name.length };
  }
}

@Controller('limits/large')
@BodyLimit('300kb')
class LargeController extends EchoController {
  @Post()
  @HttpCode(200)
  create(@Body() pet: PetDto) {
    return { length: pet.name.length };
  }

  @Post('own')
  @HttpCode(200)
  @BodyLimit('20b')
  createOwn(@Body() pet: PetDto) {
    return { length: pet.name.length };
  }

  @Get()
  find(@Body() pet: PetDto) {
    return { length: pet.name.length };
  }

  @RequestMapping({ method: RequestMethod.QUERY })
  query(@Body() pet: PetDto) {
    return { length: pet.name.length };
  }

  @Post('ignored')
  @HttpCode(200)
  ignore() {
    return { ok: true };
  }
}

@Controller('limits/small')
@BodyLimit('50B')
class SmallController extends EchoController {}

@Controller('limits/default')
class DefaultController extends EchoController {}

@Module({ controllers: [LargeController, SmallController, DefaultController] })
class LimitsModule {}

let app: NestExpressApplication;
let log: TestApp['log'];

beforeAll(async () => {
  ({ app, log } = await createTestApp({ features: [BodiesModule, LimitsModule] }));
});

function send(method: string, path: string): Test {
  const methods = request(app.getHttpServer()) as unknown as Record<string, (path: string) => Test>;
  return (methods[method.toLowerCase()] as (path: string) => Test)(path);
}

const post = (path: string) => send('POST', path);
const postJson = (path: string, body: string) => post(path).type('json').send(body);

const createJsonError = (position: number, error: string) => ({
  detail: [
    {
      type: 'json_invalid',
      loc: ['body', position],
      msg: 'JSON decode error',
      input: {},
      ctx: { error },
    },
  ],
});
const createTypeError = (input: unknown) => ({
  detail: [
    {
      type: 'model_attributes_type',
      loc: ['body'],
      msg: 'Input should be a valid dictionary or object to extract fields from',
      input,
    },
  ],
});
const MISSING = {
  detail: [{ type: 'missing', loc: ['body'], msg: 'Field required', input: null }],
};
const createTooLargeError = (limit: string) => ({
  detail: `The request body is larger than the limit of ${limit}`,
});
const createPet = (bytes: number) => `{"name":"${'a'.repeat(bytes - 11)}"}`;

describe.each(METHODS)('a handler with @Body() for %s', (method) => {
  const sendJson = (body: string) =>
    send(method, `/methods/${method.toLowerCase()}`).type('json').send(body);

  it('receives the parsed body', async () => {
    await sendJson('{"name":"Rex"}').expect(200, { method, pet: { name: 'Rex' } });
  });

  it('rejects invalid JSON, a body over BODY_LIMIT, and an absent body', async () => {
    await sendJson('{').expect(
      422,
      createJsonError(1, 'Expecting property name enclosed in double quotes'),
    );
    await sendJson(createPet(102_401)).expect(413, createTooLargeError('100kb'));
    await send(method, `/methods/${method.toLowerCase()}`).expect(422, MISSING);
  });
});

describe('a handler without a body', () => {
  const bodies = [
    ['invalid JSON', { 'Content-Type': 'application/json' }, '{'],
    ['a body over BODY_LIMIT', { 'Content-Type': 'application/json' }, createPet(200_000)],
    ['an unsupported charset', { 'Content-Type': 'application/json; charset=latin1' }, '{}'],
    [
      'an unsupported content encoding',
      { 'Content-Type': 'application/json', 'Content-Encoding': 'zip' },
      '{}',
    ],
    ['a form', { 'Content-Type': 'application/x-www-form-urlencoded' }, 'a=b'],
  ] as const;

  it.each(bodies)('ignores %s', async (_, headers, body) => {
    await send('GET', '/no-body').set(headers).send(body).expect(200, { ok: true });
    await send('POST', '/no-body').set(headers).send(body).expect(200, { ok: true });
  });

  it('responds to GET before the body is sent', async () => {
    const socket = await openSocket(app);
    socket.write(
      'GET /no-body HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n',
    );
    const [received] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    expect(parseResponses(received.toString())).toMatchObject([
      { status: 200, body: '{"ok":true}' },
    ]);
  });

  it('is called with a parsed body if it takes the request', async () => {
    await postJson('/no-body/request', '{"a":1}').expect(200, { body: { a: 1 } });
    await postJson('/no-body/request', '{').expect(422);
  });
});

describe('req.rawBody', () => {
  const BODY = '{ "name" : "Rex\\u00e9" }';

  it('is available to guards', async () => {
    await postJson('/raw-body', BODY)
      .set('X-Signature', sign(BODY))
      .expect(200, { pet: { name: 'Rexé' }, raw: BODY });
    await postJson('/raw-body', BODY).set('X-Signature', sign('{}')).expect(403);
  });

  it('is available to the guards of a handler without a body', async () => {
    const signature = sign(BODY);
    await postJson('/no-body/signed', BODY).set('X-Signature', signature).expect(200, { ok: true });
    await postJson('/no-body/signed', '{').set('X-Signature', signature).expect(403);
    await postJson('/no-body/signed', '{').set('X-Signature', sign('{')).expect(200);
  });

  it('contains the bytes after decompression', async () => {
    await post('/raw-body')
      .type('json')
      .set({ 'Content-Encoding': 'gzip', 'X-Signature': sign(BODY) })
      .serialize((body: string) => body)
      .send(gzipSync(BODY) as unknown as string)
      .expect(200, { pet: { name: 'Rexé' }, raw: BODY });
  });

  it('contains a body that arrives in chunks', async () => {
    const body = createPet(90_000);
    await postJson('/raw-body', body)
      .set('X-Signature', sign(body))
      .expect(200, { pet: JSON.parse(body) as unknown, raw: body });
  });

  it('contains a body of any type but multipart if the handler declares @RawBody()', async () => {
    await post('/raw-body/any').type('text/xml').send('<a/>').expect(200, { raw: '3c612f3e' });
    await post('/raw-body/any').type('json').send('[]').expect(200, { raw: '5b5d' });
    await post('/raw-body/any').type('json').send('[').expect(422);
    await post('/raw-body/any').field('a', 'b').expect(200, { raw: null });
    await post('/raw-body/any').expect(200, { raw: '' });
  });
});

describe('FileInterceptor', () => {
  it.each([20_000, 300_000, 5_000_000])('receives a file of %d bytes', async (size) => {
    await post('/photos')
      .field('name', 'Rex')
      .attach('photo', Buffer.alloc(size), 'rex.jpg')
      .expect(201, { size, pet: { name: 'Rex' } });
    await post('/photos/only').attach('photo', Buffer.alloc(size), 'rex.jpg').expect(201, { size });
  });

  it('applies its own limits', async () => {
    await post('/photos/small')
      .attach('photo', Buffer.alloc(1001), 'rex.jpg')
      .expect(413, { detail: 'File too large' });
  });

  it('leaves the validation of the other fields to the DTO', async () => {
    await post('/photos')
      .attach('photo', Buffer.alloc(10), 'rex.jpg')
      .expect(422, {
        detail: [{ type: 'missing', loc: ['body', 'name'], msg: 'Field required', input: {} }],
      });
  });

  it('leaves several files to AnyFilesInterceptor', async () => {
    await post('/photos/any')
      .attach('a', Buffer.alloc(1), 'a.jpg')
      .attach('b', Buffer.alloc(200_000), 'b.jpg')
      .expect(201, { sizes: [1, 200_000] });
  });

  const createHead = (path: string, headers = '') =>
    `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\n${headers}`;

  it.each([
    ['without Expect', ''],
    ['with Expect: 100-continue', 'Expect: 100-continue\r\n'],
  ])('does not read an upload that a guard rejects, %s', async (_, headers) => {
    const socket = await openSocket(app);
    socket.write(`${createHead('/photos/forbidden', headers)}Content-Length: 300000\r\n\r\n`);
    const [received] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    expect(parseResponses(received.toString())).toMatchObject([
      { status: 403, body: '{"detail":"Forbidden resource"}' },
    ]);
  });

  it('receives an upload of a client that waits for 100 Continue', async () => {
    const body =
      '--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\nabc\r\n--x--\r\n';
    const socket = await openSocket(app);
    socket.write(
      `${createHead('/photos/only', 'Expect: 100-continue\r\n')}Content-Length: ${body.length}\r\n\r\n`,
    );
    const [interim] = (await once(socket, 'data')) as [Buffer];
    expect(interim.toString()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    socket.write(body);
    const [received] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    expect(parseResponses(received.toString())).toMatchObject([
      { status: 201, body: '{"size":3}' },
    ]);
  });
});

describe('a client that disconnects during its upload', () => {
  it.each(['/photos/only', '/photos/stream'])(
    'is logged once, and not as an error: %s',
    async (path) => {
      log.length = 0;
      const socket = await openSocket(app);
      const head = `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\n`;
      socket.write(`${head}Expect: 100-continue\r\nContent-Length: 9000\r\n\r\n`);
      await once(socket, 'data');
      socket.write('--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\nabc');
      socket.destroy();
      await waitFor(() => log.some(({ context }) => context === 'RequestLog'));
      // The handler fails when it reads the rest of the body.
      await request(app.getHttpServer()).get('/system/healthz').expect(200);
      expect(log.map(({ level, msg }) => [level, msg])).toEqual([['info', 'Request aborted']]);
    },
  );
});

describe('a handler that stops reading the body', () => {
  it.each(['pipeline', 'iteration', 'late'])('has its response sent: %s', async (name) => {
    log.length = 0;
    const sizes = [10, 3_000_000, 200_000, 10];
    const requests = sizes.map((size, index) => {
      const connection = index === sizes.length - 1 ? 'close' : 'keep-alive';
      const head = `POST /photos/${name} HTTP/1.1\r\nHost: a\r\nConnection: ${connection}\r\n`;
      return `${head}Content-Type: text/csv\r\nContent-Length: ${size}\r\n\r\n${'a'.repeat(size)}`;
    });
    // On one connection: the next request is read too.
    const responses = parseResponses(await sendRaw(app, requests.join('')));
    expect(responses.map(({ status, body }) => [status, body])).toEqual(
      Array(4).fill([409, '{"detail":"Stopped"}']),
    );
    await waitFor(() => log.length === 4);
    expect(log.map(({ msg, statusCode }) => [msg, statusCode])).toEqual(
      Array(4).fill(['Request completed', 409]),
    );
  });
});

describe('a handler that reads the body after its response', () => {
  it('receives all of it', async () => {
    const socket = await openSocket(app);
    socket.write('POST /photos/rest HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\na');
    await once(socket, 'data');
    socket.write('a'.repeat(2_999_999));
    await waitFor(() => app.get(PhotosController).bytes === 3_000_000);
    socket.destroy();
  });
});

describe('a body that is not JSON', () => {
  it('is rejected by a DTO, also if the handler has an interceptor', async () => {
    const create = () => post('/photos/json');
    await create().type('text').send('a').expect(422, createTypeError('a'));
    await create().type('form').send('name=a').expect(422, createTypeError('name=a'));
    await create()
      .set('Content-Type', 'multipart/form-data; boundary=x')
      .serialize((body: string) => body)
      .send('--x--\r\n')
      .expect(422, createTypeError('--x--\r\n'));
    await create().type('text').send('').expect(422, MISSING);
    await create().type('text').send('a'.repeat(102_401)).expect(413, createTooLargeError('100kb'));
    await create()
      .type('text')
      .set('Content-Encoding', 'zip')
      .send('a')
      .expect(415, { detail: 'Unsupported content encoding "zip"' });
  });

  it('can be read as a stream', async () => {
    await post('/photos/stream')
      .type('text/csv')
      .send('a'.repeat(5_000_000))
      .expect(200, { bytes: 5_000_000, body: null });
  });
});

describe('a body that a middleware has read', () => {
  it('is a form, with express.urlencoded()', async () => {
    await post('/formats/form').type('form').send('name=Rex').expect(201, { name: 'Rex' });
    await post('/formats/form').type('json').send('{"name":"Rex"}').expect(201, { name: 'Rex' });
    await post('/formats/form').type('text').send('Rex').expect(422, createTypeError('Rex'));
  });

  it('is a Buffer, with express.raw()', async () => {
    for (const type of ['application/octet-stream', 'json', 'multipart/mixed; boundary=x']) {
      await post('/formats/bytes')
        .type(type)
        .serialize((body: string) => body)
        .send('{\0')
        .expect(201, { isBuffer: true, hex: '7b00' });
    }
    const large = 'a'.repeat(200_000);
    await post('/formats/bytes')
      .type('text')
      .send(large)
      .expect(201, { isBuffer: true, hex: Buffer.from(large).toString('hex') });
  });

  it('is text, with express.text()', async () => {
    await post('/formats/text').type('text/csv').send('a,b').expect(201, { text: 'a,b' });
  });

  it('is not parsed again', async () => {
    await postJson('/formats/replaced', '{').expect(201, { name: 'from the middleware' });
  });

  it('is not parsed if the middleware has read a part', async () => {
    await postJson('/formats/started', '{"name":"Rex"}').expect(201, {
      first: '{"nam',
      rest: 'e":"Rex"}',
      body: null,
    });
  });
});

describe('@BodyLimit()', () => {
  const createLength = (bytes: number) => ({ length: bytes - 11 });

  it('replaces BODY_LIMIT for the handlers of a controller', async () => {
    await postJson('/limits/large', createPet(307_200)).expect(200, createLength(307_200));
    await postJson('/limits/large', createPet(307_201)).expect(413, createTooLargeError('300kb'));
  });

  it('of a handler replaces the limit of its controller', async () => {
    await postJson('/limits/large/own', createPet(20)).expect(200, createLength(20));
    await postJson('/limits/large/own', createPet(21)).expect(413, createTooLargeError('20b'));
  });

  it.each(['GET', 'QUERY'])('applies to %s', async (method) => {
    const sendPet = (bytes: number) =>
      send(method, '/limits/large').type('json').send(createPet(bytes));
    await sendPet(307_200).expect(200, createLength(307_200));
    await sendPet(307_201).expect(413, createTooLargeError('300kb'));
  });

  it.each([
    ['large', 307_200, '300kb'],
    ['small', 50, '50B'],
    ['default', 102_400, '100kb'],
  ])('applies to an inherited handler of the %s controller', async (name, bytes, limit) => {
    const path = `/limits/${name}/inherited`;
    await postJson(path, createPet(bytes)).expect(200, createLength(bytes));
    await postJson(path, createPet(bytes + 1)).expect(413, createTooLargeError(limit));
  });

  it('applies to a decompressed body, and to one that is not JSON', async () => {
    await post('/limits/small/inherited')
      .type('json')
      .set('Content-Encoding', 'gzip')
      .serialize((body: string) => body)
      .send(gzipSync(createPet(10_000)) as unknown as string)
      .expect(413, createTooLargeError('50B'));
    await post('/limits/small/inherited')
      .type('text')
      .send('a'.repeat(51))
      .expect(413, createTooLargeError('50B'));
  });

  it('does not reject the body of a handler without one', async () => {
    await postJson('/limits/large/ignored', createPet(400_000)).expect(200, { ok: true });
  });

  it.each(['5 mb', '0', 0, '5gb', '', undefined])('rejects the value %j', (limit) => {
    expect(() => BodyLimit(limit as string)(LargeController)).toThrow(
      `@BodyLimit(${JSON.stringify(limit)}): expected a size from 1b to 99mb, such as '5mb'.`,
    );
  });
});

describe('Content-Encoding', () => {
  const sendPet = (encoding: string, body: string | Buffer) =>
    post('/methods/post')
      .type('json')
      .set('Content-Encoding', encoding)
      .serialize((value: string) => value)
      .send(body as string);
  const PET = '{"name":"Rex"}';

  it.each(['', 'identity', 'Identity', 'utf-8', 'UTF-8'])('"%s" is no encoding', async (value) => {
    await sendPet(value, PET).expect(200, { method: 'POST', pet: { name: 'Rex' } });
  });

  it.each(['gzip', 'GZIP', 'x-gzip', 'X-Gzip'])('%s is gzip', async (value) => {
    await sendPet(value, gzipSync(PET)).expect(200, { method: 'POST', pet: { name: 'Rex' } });
  });

  it.each(['gzip, br', 'identity, gzip', 'zstd', 'utf-16'])('%s returns 415', async (value) => {
    await sendPet(value, PET).expect(415, { detail: `Unsupported content encoding "${value}"` });
  });
});
