import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Controller, Get, Module } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { IsUrl, MinLength } from 'class-validator';
import request from 'supertest';
import { Secret, WholeNumber } from '../src/platform/settings/setting.decorators.js';
import { SettingsModule } from '../src/platform/settings/settings.module.js';
import { createTestApp, type TestApp } from './fixtures/app.js';
import { runService, startService, stopService } from './fixtures/process.js';
import { createProject } from './fixtures/project.js';

class BucketSettings {
  @IsUrl({ require_tld: false }, { message: 'expected a URL' })
  BUCKET_URL!: string;

  @Secret()
  @MinLength(8, { message: 'expected at least 8 characters' })
  BUCKET_KEY!: string;
}

class PhotoSettings {
  @WholeNumber(1, 100)
  PHOTO_LIMIT: number = 10;
}

@Module({
  imports: [SettingsModule.forFeature(BucketSettings)],
  exports: [SettingsModule],
})
class BucketModule {}

@Controller('photos')
class PhotosController {
  constructor(
    private readonly bucket: BucketSettings,
    private readonly photos: PhotoSettings,
  ) {}

  @Get('settings')
  read() {
    const { BUCKET_URL, BUCKET_KEY } = this.bucket;
    return { BUCKET_URL, BUCKET_KEY, PHOTO_LIMIT: this.photos.PHOTO_LIMIT };
  }
}

@Module({
  imports: [BucketModule, SettingsModule.forFeature(PhotoSettings)],
  controllers: [PhotosController],
})
class PhotosModule {}

const REQUIRED = { BUCKET_URL: 'http://localhost:9000', BUCKET_KEY: 'correct horse' };

describe('Test.createTestingModule() with a feature that has settings', () => {
  it('injects the settings that the test provides', async () => {
    const module = await Test.createTestingModule({ imports: [PhotosModule] })
      .overrideProvider(BucketSettings)
      .useValue(REQUIRED)
      .overrideProvider(PhotoSettings)
      .useValue({ PHOTO_LIMIT: 3 })
      .compile();
    expect(module.get(PhotosController).read()).toEqual({ ...REQUIRED, PHOTO_LIMIT: 3 });
  });
});

describe('createTestApp() with a feature that has settings', () => {
  it('injects the settings of the feature and of a module that it imports', async () => {
    const { app } = await createTestApp({ settings: REQUIRED, features: [PhotosModule] });
    await request(app.getHttpServer())
      .get('/photos/settings')
      .expect(200, { ...REQUIRED, PHOTO_LIMIT: 10 });
  });

  it('gives each application its own settings', async () => {
    const apps: TestApp['app'][] = [];
    for (const PHOTO_LIMIT of ['1', '2']) {
      const settings = { ...REQUIRED, PHOTO_LIMIT };
      apps.push((await createTestApp({ settings, features: [PhotosModule] })).app);
    }
    for (const [index, app] of apps.entries()) {
      await request(app.getHttpServer())
        .get('/photos/settings')
        .expect(200, { ...REQUIRED, PHOTO_LIMIT: index + 1 });
    }
  });

  it('rejects with each invalid setting, without the value of a secret', async () => {
    const settings = { BUCKET_KEY: 'hunter2', PHOTO_LIMIT: 'many', BODY_LIMIT: 'big' };
    await expect(createTestApp({ settings, features: [PhotosModule] })).rejects.toThrow(
      [
        'BODY_LIMIT: expected a size from 1b to 99mb, such as 100kb, got "big"',
        'PHOTO_LIMIT: expected a whole number from 1 to 100, got "many"',
        'BUCKET_URL: expected a URL, but it is not set. Set it in the environment or in .env.',
        'BUCKET_KEY: expected at least 8 characters, got a value that is not shown here',
        "Pass settings: createTestApp({ settings: { NAME: 'value' } })",
      ].join('\n'),
    );
  });

  it('says what to do if a lazy-loaded module declares settings', async () => {
    const { app } = await createTestApp({ settings: REQUIRED });
    const loading = app.get(LazyModuleLoader).load(() => BucketModule);
    await expect(loading).rejects.toThrow(
      "BucketSettings: no feature imports SettingsModule.forFeature(BucketSettings) at start-up. Add it to the imports of the feature's @Module(), or of a module that it imports.",
    );
  });
});

/** A feature with a required setting, which it uses while it is constructed. */
const KENNELS = {
  'src/features/kennels/kennels.settings.ts': `
import { IsUrl } from 'class-validator';
import { WholeNumber } from '../../platform/settings/setting.decorators.js';

export class KennelsSettings {
  @IsUrl({ require_tld: false }, { message: 'expected a URL' })
  KENNELS_URL!: string;

  @WholeNumber(1, 100)
  KENNELS_LIMIT: number = 10;
}
`,
  'src/features/kennels/kennels.module.ts': `
import { Controller, Get, Module } from '@nestjs/common';
import { SettingsModule } from '../../platform/settings/settings.module.js';
import { KennelsSettings } from './kennels.settings.js';

@Controller('kennels')
class KennelsController {
  private readonly host: string;

  constructor(private readonly settings: KennelsSettings) {
    this.host = new URL(settings.KENNELS_URL).host;
  }

  @Get()
  read() {
    return { host: this.host, limit: this.settings.KENNELS_LIMIT };
  }
}

@Module({
  imports: [SettingsModule.forFeature(KennelsSettings)],
  controllers: [KennelsController],
})
export class KennelsModule {}
`,
};

describe('a discovered feature with a required setting', () => {
  let project: string;

  beforeAll(async () => {
    project = await createProject(KENNELS);
  });

  it('aborts start-up with one line for each invalid setting of the platform and the feature', async () => {
    const env = { PORT: 'http', KENNELS_LIMIT: '200' };
    expect(await runService({ cwd: project, env })).toEqual({
      code: 1,
      stdout: '',
      stderr: [
        'PORT: expected a whole number from 0 to 65535, got "http"',
        'KENNELS_URL: expected a URL, but it is not set. Set it in the environment or in .env.',
        'KENNELS_LIMIT: expected a whole number from 1 to 100, got "200"',
        '',
      ].join('\n'),
    });
  });

  it('gets its settings from the environment', async () => {
    const env = { KENNELS_URL: 'http://kennels:80', KENNELS_LIMIT: '5' };
    const service = await startService({ cwd: project, env });
    const response = await fetch(`${service.url}/kennels`);
    expect(await response.json()).toEqual({ host: 'kennels', limit: 5 });
    await stopService(service);
  });

  it('needs no setting for the OpenAPI document', async () => {
    await promisify(execFile)(process.execPath, ['scripts/openapi.js'], { cwd: project, env: {} });
    const document = await readFile(join(project, 'openapi.json'), 'utf8');
    expect(JSON.parse(document)).toHaveProperty(['paths', '/kennels', 'get']);
  });
});
