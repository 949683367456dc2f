import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { OpenAPIObject } from '@nestjs/swagger';
import { createProject } from './fixtures/project.js';

const KENNELS_MODULE = `
import { Controller, Get, Inject, Module } from '@nestjs/common';

const CONNECTION = Symbol('connection');

@Controller('kennels')
class KennelsController {
  constructor(@Inject(CONNECTION) private readonly connection: unknown) {
    if (process.env.KENNELS_URL === undefined) throw new Error('KENNELS_URL is not set');
  }

  @Get()
  list() {
    return this.connection;
  }
}

@Module({
  controllers: [KennelsController],
  providers: [{ provide: CONNECTION, useFactory: () => Promise.reject(new Error('Refused')) }],
})
export class KennelsModule {}
`;

describe('node scripts/openapi.js', () => {
  it('needs no settings and opens no connection', async () => {
    const project = await createProject({
      'src/features/kennels/kennels.module.ts': KENNELS_MODULE,
      '.env': 'PORT=none',
    });
    const script = ['scripts/openapi.js'];
    await promisify(execFile)(process.execPath, script, { cwd: project, env: { PORT: 'none' } });
    const document = await readFile(join(project, 'openapi.json'), 'utf8');
    const { paths } = JSON.parse(document) as OpenAPIObject;
    expect(paths).toHaveProperty(['/kennels', 'get', 'operationId'], 'listKennels');
  });
});
