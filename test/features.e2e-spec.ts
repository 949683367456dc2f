import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import request from 'supertest';
import { openUpload } from './fixtures/http.js';
import { parseLog } from './fixtures/log-records.js';
import { runService, startService, stopService } from './fixtures/process.js';
import { createProject } from './fixtures/project.js';
import { waitFor } from './fixtures/wait-for.js';

/** The files of a feature, by path. */
const KENNEL_GUEST = {
  'kennel-guest.module.ts': `
    import { Module } from '@nestjs/common';
    import { KennelGuestController } from './kennel-guest.controller.js';
    import { RegistryIndicator } from './registry.indicator.js';

    @Module({ controllers: [KennelGuestController], providers: [RegistryIndicator] })
    export class KennelGuestModule {}`,
  'registry.indicator.ts': `
    import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
    import {
      ReadinessCheck,
      type ReadinessIndicator,
    } from '../../platform/health/readiness-check.decorator.js';

    @Injectable()
    @ReadinessCheck({ name: 'kennel_registry', optional: true })
    export class RegistryIndicator implements ReadinessIndicator, OnModuleDestroy {
      private readonly logger = new Logger(RegistryIndicator.name);

      async check(signal: AbortSignal): Promise<void> {
        await fetch('http://127.0.0.1:9', { signal });
      }

      onModuleDestroy(): void {
        this.logger.log('Released');
      }
    }`,
  'kennel-guest.controller.ts': `
    import { Body, Controller, Post } from '@nestjs/common';
    import { ApiCreatedResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
    import { KennelGuest } from './dto/kennel-guest.dto.js';

    @ApiTags('Kennel guest')
    @Controller('kennel-guest')
    export class KennelGuestController {
      @Post()
      @ApiOperation({
        operationId: 'addKennelGuest',
        summary: 'Add a pet profile',
        description: 'Returns the added profile.',
      })
      @ApiCreatedResponse({ description: 'The added profile.', type: KennelGuest })
      add(@Body() profile: KennelGuest): KennelGuest {
        return profile;
      }
    }`,
  'dto/kennel-guest.dto.ts': `
    import { ApiProperty } from '@nestjs/swagger';
    import { Type } from 'class-transformer';
    import { IsInt, IsOptional, IsString, ValidateNested } from 'class-validator';

    export class KennelGuest {
      @ApiProperty({ example: 'Rex' })
      @IsString()
      name!: string;

      @ApiProperty({ example: 3 })
      @IsInt()
      age!: number;

      @ApiProperty({ description: 'The profile of the mother.', required: false, type: () => KennelGuest })
      @IsOptional()
      @ValidateNested()
      @Type(() => KennelGuest)
      mother?: KennelGuest;
    }`,
};

describe('a folder in src/features', () => {
  let project: string;

  beforeAll(async () => {
    project = await createProject(
      Object.fromEntries(
        Object.entries(KENNEL_GUEST).map(([path, source]) => [
          `src/features/kennel-guest/${path}`,
          source,
        ]),
      ),
    );
  });

  it('is served, validated and documented without another edit', async () => {
    const service = await startService({ cwd: project });
    await request(service.url)
      .post('/kennel-guest')
      .send({ name: 'Rex', age: 3, owner: 'me' })
      .expect(201, { name: 'Rex', age: 3 });
    const input = { age: 'three' };
    await request(service.url)
      .post('/kennel-guest')
      .send(input)
      .expect(422, {
        detail: [
          { type: 'missing', loc: ['body', 'name'], msg: 'Field required', input },
          {
            type: 'int_type',
            loc: ['body', 'age'],
            msg: 'Input should be a valid integer',
            input: 'three',
          },
        ],
      });
    const document = await request(service.url).get('/openapi.json').expect(200);
    expect(document.body).toMatchObject({
      paths: {
        '/system/healthz': {},
        '/kennel-guest': {
          post: {
            operationId: 'addKennelGuest',
            requestBody: {
              content: { 'application/json': { example: { name: 'Rex', age: 3 } } },
            },
            responses: { 201: {}, 422: {}, default: {} },
          },
        },
      },
    });
    await stopService(service);
  });

  it('adds its readiness check, and runs onModuleDestroy() after the last request', async () => {
    const service = await startService({ cwd: project });
    await request(service.url)
      .get('/system/readyz')
      .expect(200, {
        status: 'degraded',
        checks: { event_loop: 'up', log: 'up', kennel_registry: 'down' },
      });
    const upload = await openUpload(service, 22, { path: '/kennel-guest' });
    service.process.kill('SIGTERM');
    await waitFor(() =>
      fetch(`${service.url}/system/healthz`).then(
        () => false,
        () => true,
      ),
    );
    upload.write('{"name":"Rex","age":3}');
    const { code, stdout } = await service.exit;
    expect(code).toBe(0);
    const messages = ['Request completed', 'Released', 'Stopped'];
    const logged = parseLog(stdout).map(({ msg }) => String(msg));
    expect(logged.filter((msg) => messages.includes(msg))).toEqual(messages);
  });

  it('is ignored in dist when it is not in src', async () => {
    const stale = join(project, 'dist/features/kennel-old');
    await mkdir(stale);
    await writeFile(join(stale, 'kennel-old.module.js'), 'throw new Error("stale");');
    const service = await startService({ cwd: project });
    expect((await stopService(service)).code).toBe(0);
    await rm(stale, { recursive: true });
  });

  describe('aborts start-up with one line when it', () => {
    const source = () => join(project, 'src/features/kennel-twin');
    const build = () => join(project, 'dist/features/kennel-twin');

    /** Builds a second feature: the files of the first one with replacements. */
    async function addTwin(...replacements: [from: RegExp, to: string][]): Promise<void> {
      await mkdir(join(build(), 'dto'), { recursive: true });
      for (const path of Object.keys(KENNEL_GUEST)) {
        const name = path.replace('.ts', '.js');
        let code = await readFile(join(project, 'dist/features/kennel-guest', name), 'utf8');
        for (const [from, to] of replacements) code = code.replaceAll(from, to);
        await writeFile(join(build(), name.replace('kennel-guest', 'kennel-twin')), code);
      }
    }

    beforeEach(async () => {
      await mkdir(source());
    });

    afterEach(async () => {
      await rm(build(), { recursive: true, force: true });
      await rm(source(), { recursive: true });
    });

    it('has no module file', async () => {
      expect(await runService({ cwd: project })).toEqual({
        code: 1,
        stdout: '',
        stderr:
          'dist/features/kennel-twin/kennel-twin.module.js: expected this file to export the class KennelTwinModule, found no file\n',
      });
    });

    it('has a route of another feature', async () => {
      await addTwin([/KennelGuest/g, 'KennelTwin'], [/\/kennel-guest(?=\.)/g, '/kennel-twin']);
      const { code, stderr } = await runService({ cwd: project });
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /^[^\n]*Duplicate route: POST \/kennel-guest is registered by both KennelGuestController#add and KennelTwinController#add\.[^\n]*\n$/,
      );
    });

    it('has a dependency that Nest cannot resolve', async () => {
      const provider = '{ provide: "twin", useFactory: () => 1, inject: ["unknown"] }';
      await addTwin(
        [/KennelGuest/g, 'KennelTwin'],
        [/kennel-guest/g, 'kennel-twin'],
        [/providers: \[/g, `providers: [${provider}, `],
      );
      const { code, stdout, stderr } = await runService({ cwd: project });
      expect(stdout).toContain('"context":"ExceptionHandler","err":{');
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /^Nest can't resolve dependencies of the twin [^\n]*KennelTwinModule[^\n]*\n$/,
      );
    });
  });
});
