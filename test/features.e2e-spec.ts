import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import request from 'supertest';
import { openUpload } from './fixtures/http.js';
import { parseLog } from './fixtures/log-records.js';
import { runService, startService, stopService } from './fixtures/process.js';
import { createProject } from './fixtures/project.js';
import { waitFor } from './fixtures/wait-for.js';

/** The files of a feature, by path. */
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
      @ApiOperation({
        operationId: 'addPetProfile',
        summary: 'Add a pet profile',
        description: 'Returns the added profile.',
      })
      @ApiCreatedResponse({ description: 'The added profile.', type: PetProfile })
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

      @ApiProperty({ description: 'The profile of the mother.', required: false, type: () => PetProfile })
      @IsOptional()
      @ValidateNested()
      @Type(() => PetProfile)
      mother?: PetProfile;
    }`,
};

describe('a folder in src/features', () => {
  let project: string;

  beforeAll(async () => {
    project = await createProject(
      Object.fromEntries(
        Object.entries(PET_PROFILE).map(([path, source]) => [
          `src/features/pet-profile/${path}`,
          source,
        ]),
      ),
    );
  });

  afterAll(async () => {
    await rm(project, { recursive: true });
  });

  it('is served, validated and documented without another edit', async () => {
    const service = await startService({ cwd: project });
    await request(service.url)
      .post('/pet-profile')
      .send({ name: 'Rex', age: 3, owner: 'me' })
      .expect(201, { name: 'Rex', age: 3 });
    const input = { age: 'three' };
    await request(service.url)
      .post('/pet-profile')
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
        '/pet-profile': {
          post: {
            operationId: 'addPetProfile',
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
        checks: { event_loop: 'up', log: 'up', pet_registry: 'down' },
      });
    const upload = await openUpload(service, 22, { path: '/pet-profile' });
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
    const stale = join(project, 'dist/features/pet-old');
    await mkdir(stale);
    await writeFile(join(stale, 'pet-old.module.js'), 'throw new Error("stale");');
    const service = await startService({ cwd: project });
    expect((await stopService(service)).code).toBe(0);
    await rm(stale, { recursive: true });
  });

  describe('aborts start-up with one line when it', () => {
    const source = () => join(project, 'src/features/pet-twin');
    const build = () => join(project, 'dist/features/pet-twin');

    /** Builds a second feature: the files of the first one with replacements. */
    async function addTwin(...replacements: [from: RegExp, to: string][]): Promise<void> {
      await mkdir(join(build(), 'dto'), { recursive: true });
      for (const path of Object.keys(PET_PROFILE)) {
        const name = path.replace('.ts', '.js');
        let code = await readFile(join(project, 'dist/features/pet-profile', name), 'utf8');
        for (const [from, to] of replacements) code = code.replaceAll(from, to);
        await writeFile(join(build(), name.replace('pet-profile', 'pet-twin')), code);
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
          'dist/features/pet-twin/pet-twin.module.js: expected this file to export the class PetTwinModule, found no file\n',
      });
    });

    it('has a route of another feature', async () => {
      await addTwin([/PetProfile/g, 'PetTwin'], [/\/pet-profile(?=\.)/g, '/pet-twin']);
      const { code, stderr } = await runService({ cwd: project });
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /^[^\n]*Duplicate route: POST \/pet-profile is registered by both PetProfileController#add and PetTwinController#add\.[^\n]*\n$/,
      );
    });

    it('has a DTO with the name of another DTO', async () => {
      await addTwin(
        [/PetProfile(?=Module|Controller)/g, 'PetTwin'],
        [/\/pet-profile(?=\.)/g, '/pet-twin'],
        [/'pet-profile'/g, "'pet-twin'"],
      );
      expect(await runService({ cwd: project })).toEqual({
        code: 1,
        stdout: '',
        stderr:
          'dist/features/pet-twin/pet-twin.module.js: the DTO name PetProfile is already used in dist/features/pet-profile/pet-profile.module.js. Rename the class, or its @ApiSchema().\n',
      });
    });

    it('has a dependency that Nest cannot resolve', async () => {
      const provider = '{ provide: "twin", useFactory: () => 1, inject: ["unknown"] }';
      await addTwin(
        [/PetProfile/g, 'PetTwin'],
        [/pet-profile/g, 'pet-twin'],
        [/providers: \[/g, `providers: [${provider}, `],
      );
      const { code, stdout, stderr } = await runService({ cwd: project });
      expect(stdout).toContain('"context":"ExceptionHandler","err":{');
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /^Nest can't resolve dependencies of the twin [^\n]*PetTwinModule[^\n]*\n$/,
      );
    });
  });
});
