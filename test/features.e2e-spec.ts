import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { runToEnd, startService, stopService } from './fixtures/process.js';
import { waitFor } from './fixtures/wait-for.js';

const SOURCES = [
  'package.json',
  'nest-cli.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'scripts',
  'src',
];

/** A feature as a developer writes one, in the files where a reader looks for them. */
const PET_PROFILE = {
  'pet-profile.module.ts': `
    import { Module } from '@nestjs/common';
    import { PetProfileController } from './pet-profile.controller.js';

    import { RegistryIndicator } from './registry.indicator.js';

    @Module({ controllers: [PetProfileController], providers: [RegistryIndicator] })
    export class PetProfileModule {}`,
  'registry.indicator.ts': `
    import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
    import {
      ReadinessCheck,
      type ReadinessIndicator,
    } from '../../platform/health/readiness-check.decorator.js';

    @Injectable()
    @ReadinessCheck({ name: 'pet_registry', optional: true })
    export class RegistryIndicator implements ReadinessIndicator, OnModuleDestroy {
      private readonly logger = new Logger(RegistryIndicator.name);

      async check(signal: AbortSignal): Promise<void> {
        await fetch('http://127.0.0.1:9', { signal });
      }

      onModuleDestroy(): void {
        this.logger.log('Released');
      }
    }`,
  'pet-profile.controller.ts': `
    import { Body, Controller, Post } from '@nestjs/common';
    import { ApiCreatedResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
    import { PetProfile } from './dto/pet-profile.dto.js';

    @ApiTags('Pet profile')
    @Controller('pet-profile')
    export class PetProfileController {
      @Post()
      @ApiOperation({ summary: 'Add a pet', description: 'Adds a pet to the profiles of pets.' })
      @ApiCreatedResponse({ description: 'The pet was added.', type: PetProfile })
      add(@Body() profile: PetProfile): PetProfile {
        return profile;
      }
    }`,
  'dto/pet-profile.dto.ts': `
    import { ApiProperty } from '@nestjs/swagger';
    import { Type } from 'class-transformer';
    import { IsInt, IsOptional, IsString, ValidateNested } from 'class-validator';

    export class PetProfile {
      @ApiProperty({ example: 'Rex' })
      @IsString()
      name!: string;

      @ApiProperty({ example: 3 })
      @IsInt()
      age!: number;

      @ApiProperty({ description: 'Who it came from.', required: false, type: () => PetProfile })
      @IsOptional()
      @ValidateNested()
      @Type(() => PetProfile)
      mother?: PetProfile;
    }`,
};

/** Whether nobody takes connections. */
async function refused(url: string): Promise<boolean> {
  return fetch(url).then(
    () => false,
    () => true,
  );
}

describe('a folder that is dropped into src/features', () => {
  let project: string;
  const run = (...args: string[]) => promisify(execFile)(process.execPath, args, { cwd: project });
  const bundle = () => run('scripts/bundle.js');

  beforeAll(async () => {
    project = await mkdtemp(join(tmpdir(), 'petsage-project-'));
    for (const path of SOURCES) await cp(path, join(project, path), { recursive: true });
    await symlink(resolve('node_modules'), join(project, 'node_modules'));
    for (const [path, source] of Object.entries(PET_PROFILE)) {
      const file = join(project, 'src/features/pet-profile', path);
      await mkdir(join(file, '..'), { recursive: true });
      await writeFile(file, source);
    }
    await run(resolve('node_modules/@nestjs/cli/bin/nest.js'), 'build');
    await bundle();
  });

  afterAll(async () => {
    await rm(project, { recursive: true });
  });

  it('is served, validated and documented without another edit', async () => {
    const service = await startService({ cwd: project });
    const add = async (body: string) => {
      const headers = { 'Content-Type': 'application/json' };
      const answer = await fetch(`${service.url}/pet-profile`, { method: 'POST', headers, body });
      return [answer.status, (await answer.json()) as unknown];
    };
    expect(await add('{"name":"Rex","age":3,"owner":"me"}')).toEqual([
      201,
      { name: 'Rex', age: 3 },
    ]);
    expect(await add('{"age":"three"}')).toEqual([
      422,
      {
        detail: [
          {
            type: 'missing',
            loc: ['body', 'name'],
            msg: 'Field required',
            input: { age: 'three' },
          },
          {
            type: 'int_type',
            loc: ['body', 'age'],
            msg: 'Input should be a valid integer',
            input: 'three',
          },
        ],
      },
    ]);
    const document = await fetch(`${service.url}/openapi.json`);
    expect(await document.json()).toMatchObject({
      paths: {
        '/system/healthz': {},
        '/pet-profile': {
          post: {
            operationId: 'PetProfile_add',
            requestBody: {
              content: { 'application/json': { example: { name: 'Rex', age: 3 } } },
            },
            responses: { 201: {}, 400: {}, 413: {}, 415: {}, 422: {}, 500: {} },
          },
        },
      },
    });
    await stopService(service);
  });

  it('takes part in readiness, and is released after the last request', async () => {
    const service = await startService({ cwd: project });
    const readiness = await fetch(`${service.url}/system/readyz`);
    expect([readiness.status, await readiness.json()]).toEqual([
      200,
      {
        status: 'degraded',
        checks: { event_loop: 'up', log: 'up', pet_registry: 'down' },
      },
    ]);
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    socket.write(
      'POST /pet-profile HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 22\r\n\r\n',
    );
    await once(socket, 'data');
    const ended = stopService(service);
    await waitFor(() => refused(`${service.url}/system/healthz`));
    socket.write('{"name":"Rex","age":3}');
    const { code, stdout } = await ended;
    expect(code).toBe(0);
    expect(stdout.match(/"msg":"(Request completed|Released|Stopped)"/g)).toEqual([
      '"msg":"Request completed"',
      '"msg":"Released"',
      '"msg":"Stopped"',
    ]);
    socket.destroy();
  });

  it('is gone when it is deleted, though a build still has it', async () => {
    const stale = join(project, 'dist/features/pet-old');
    await mkdir(stale);
    const service = await startService({ cwd: project });
    expect((await stopService(service)).code).toBe(0);
    await rm(stale, { recursive: true });
  });

  describe('stops the start with a sentence', () => {
    const twin = () => join(project, 'build/features/pet-twin');
    const twinSource = () => join(project, 'src/features/pet-twin');

    /** Puts a second feature beside the first, made of its files with some words changed. */
    async function addTwin(...changes: [string | RegExp, string][]) {
      await mkdir(join(twin(), 'dto'), { recursive: true });
      for (const path of Object.keys(PET_PROFILE)) {
        const name = path.replace('.ts', '.js');
        let source = await readFile(join(project, 'build/features/pet-profile', name), 'utf8');
        for (const [from, to] of changes) source = source.replaceAll(from, to);
        await writeFile(join(twin(), name.replace('pet-profile', 'pet-twin')), source);
      }
      await bundle();
    }

    beforeEach(async () => {
      await mkdir(twinSource());
    });

    afterEach(async () => {
      await rm(twin(), { recursive: true, force: true });
      await rm(twinSource(), { recursive: true });
    });

    it('when it has no module file, nor anything to compile', async () => {
      await bundle();
      expect(await runToEnd({ cwd: project })).toEqual({
        code: 1,
        stdout: '',
        stderr:
          'dist/features/pet-twin/pet-twin.module.js: expected this file to export the class PetTwinModule, found no file\n',
      });
    });

    it('when it claims the route of another feature', async () => {
      await addTwin(
        [/PetProfile(?=Module|Controller|\b)/g, 'PetTwin'],
        [/\/pet-profile(?=\.)/g, '/pet-twin'],
      );
      const { code, stderr } = await runToEnd({ cwd: project });
      expect(stderr).toContain(
        'Duplicate route: POST /pet-profile is registered by both PetProfileController#add and PetTwinController#add.',
      );
      expect(code).toBe(1);
    });

    it('when Nest cannot put its parts together', async () => {
      await addTwin([/PetProfile/g, 'PetTwin'], [/pet-profile/g, 'pet-twin']);
      const file = join(twin(), 'pet-twin.module.js');
      const source = await readFile(file, 'utf8');
      const provider = '{ provide: "twin", useFactory: () => 1, inject: ["nobody"] }';
      await writeFile(file, source.replace('providers: [', `providers: [${provider}, `));
      await bundle();
      const { code, stdout, stderr } = await runToEnd({ cwd: project });
      expect(stdout).toContain('"context":"ExceptionHandler","err":{');
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /^Nest can't resolve dependencies of the twin [^\n]*PetTwinModule[^\n]*\n$/,
      );
    });

    it('when it claims the name of a DTO of another feature', async () => {
      await addTwin(
        [/PetProfile(?=Module|Controller)/g, 'PetTwin'],
        [/\/pet-profile(?=\.)/g, '/pet-twin'],
        [`'pet-profile'`, `'pet-twin'`],
      );
      expect(await runToEnd({ cwd: project })).toEqual({
        code: 1,
        stdout: '',
        stderr:
          'dist/features/pet-twin/pet-twin.module.js: the DTO name PetProfile is already used in dist/features/pet-profile/pet-profile.module.js. Rename the class, or its @ApiSchema().\n',
      });
    });
  });
});
