import { readFile } from 'node:fs/promises';
import { request as connect } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  Controller,
  Module,
  PayloadTooLargeException,
  Post,
  Req,
  UnprocessableEntityException,
  UnsupportedMediaTypeException,
} from '@nestjs/common';
import { ApiBody, ApiConsumes } from '@nestjs/swagger';
import type { Request } from 'express';
import { sql } from 'kysely';
import request from 'supertest';
import { DatabaseModule } from '../../src/platform/database/database.module.js';
import { DatabaseService } from '../../src/platform/database/database.service.js';
import { createTestApp, type TestApp } from '../fixtures/app.js';
import { waitFor } from '../fixtures/wait-for.js';

interface ChipTables {
  chips: { number: string };
}

const MAX_FILE_BYTES = 10 * 1024 ** 2;

@Controller('chips')
class ChipsController {
  constructor(private readonly database: DatabaseService<ChipTables>) {}

  @Post('import')
  @ApiConsumes('text/csv')
  @ApiBody({ schema: { type: 'string' } })
  async importChips(@Req() request: Request) {
    const isEncoded = request.get('Content-Encoding') !== undefined;
    if (isEncoded || !request.is('text/csv')) throw new UnsupportedMediaTypeException();
    // Before the transaction, which may be repeated.
    const rows = parse(await readText(request));
    await this.database.transaction(async (tx) => {
      // A statement has at most 65,535 parameters.
      for (let start = 0; start < rows.length; start += 1000) {
        const values = rows.slice(start, start + 1000);
        await tx.insertInto('chips').values(values).execute();
      }
    });
    return { imported: rows.length };
  }
}

async function readText(request: Request): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_FILE_BYTES) throw new PayloadTooLargeException();
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new UnprocessableEntityException('The file is not UTF-8');
  }
}

/** Reads a number in each line. */
function parse(text: string): ChipTables['chips'][] {
  return text
    .trim()
    .split(/\r?\n/)
    .map((number, index) => {
      if (/^\d{15}$/.test(number)) return { number };
      throw new UnprocessableEntityException(`Line ${index + 1} is not a number of a chip`);
    });
}

@Module({ imports: [DatabaseModule], controllers: [ChipsController] })
class ChipsModule {}

const PATH = '/chips/import';

function createFile(rows: number): string {
  return Array.from({ length: rows }, (_, index) => `${276_000_000_000_000 + index}\n`).join('');
}

describe('a streamed import', () => {
  let testApp: TestApp;
  let database: DatabaseService<ChipTables>;
  let server: ReturnType<TestApp['app']['getHttpServer']>;

  beforeAll(async () => {
    testApp = await createTestApp({ features: [ChipsModule] });
    server = testApp.app.getHttpServer();
    database = testApp.app.get<DatabaseService<ChipTables>>(DatabaseService, { strict: false });
    await sql`create table chips (number text primary key)`.execute(database.db);
  });

  beforeEach(async () => {
    await database.db.deleteFrom('chips').execute();
  });

  async function countRows(): Promise<number> {
    return (await database.db.selectFrom('chips').selectAll().execute()).length;
  }

  async function send(file: string | Buffer, headers: Record<string, string> = {}) {
    const response = await request(server).post(PATH).type('text/csv').set(headers).send(file);
    return { status: response.status, body: response.body as unknown };
  }

  it('has its code in docs/features.md', async () => {
    const document = await readFile('docs/features.md', 'utf8');
    const source = await readFile('test/recipes/streamed-import.e2e-spec.ts', 'utf8');
    const [, code] = /\*\*Streams\*\*.*?```ts\n(.*?)```/s.exec(document) ?? [];
    expect(code).toContain('importChips');
    expect(source).toContain(code);
  });

  it('stores more rows than one statement can', async () => {
    const { status, body } = await send(`\u{feff}${createFile(70_000)}`);
    expect({ status, body }).toEqual({ status: 201, body: { imported: 70_000 } });
    expect(await countRows()).toBe(70_000);
  });

  it('stores nothing if a later statement fails', async () => {
    const { status } = await send(createFile(1500) + createFile(1));
    expect(status).toBe(500);
    expect(await countRows()).toBe(0);
  });

  it.each([
    ['a line that is invalid', `${createFile(1500)}x\n`, 'Line 1501 is not a number of a chip'],
    ['bytes that are not UTF-8', Buffer.from([0xff, 0x0a]), 'The file is not UTF-8'],
  ])('rejects %s, and stores nothing', async (_name, file, detail) => {
    const { status, body } = await send(file);
    expect({ status, body }).toEqual({ status: 422, body: { detail } });
    expect(await countRows()).toBe(0);
  });

  it('rejects a file that is too large while it is sent', async () => {
    const { port } = server.address() as AddressInfo;
    const upload = connect({
      port,
      method: 'POST',
      path: PATH,
      headers: { 'Content-Type': 'text/csv' },
    });
    const status = new Promise<number | undefined>((resolve, reject) => {
      upload.on('response', (response) => {
        resolve(response.statusCode);
      });
      upload.on('error', reject);
    });
    // The request does not end.
    upload.write(Buffer.alloc(MAX_FILE_BYTES + 1, '1'));
    await expect(status).resolves.toBe(413);
    upload.destroy();
  });

  it('rejects other types and encodings', async () => {
    await request(server).post(PATH).type('text/plain').send('1').expect(415);
    const { status } = await send('1', { 'Content-Encoding': 'gzip' });
    expect(status).toBe(415);
  });

  it('stores nothing if the client disconnects', async () => {
    const { port } = server.address() as AddressInfo;
    const headers = { 'Content-Type': 'text/csv', 'X-Request-Id': 'disconnected' };
    const upload = connect({ port, method: 'POST', path: PATH, headers });
    upload.on('error', () => undefined);
    await new Promise((resolve) => upload.write(createFile(1500), resolve));
    upload.destroy();
    await waitFor(() => JSON.stringify(testApp.log).includes('disconnected'));
    expect(await countRows()).toBe(0);
  });
});
