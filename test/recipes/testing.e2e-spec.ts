import {
  type CanActivate,
  Controller,
  Get,
  Inject,
  Injectable,
  Module,
  Param,
  ParseIntPipe,
  UseGuards,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import request from 'supertest';
import { createTestApp } from '../fixtures/app.js';

@Injectable()
class PetsService {
  find(id: number) {
    return { id, source: 'database' };
  }
}

@Injectable()
class ClosedGuard implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@Controller('pets')
@UseGuards(ClosedGuard)
class PetsController {
  constructor(
    private readonly pets: PetsService,
    @Inject('REGION') private readonly region: string,
  ) {}

  @Get(':id')
  find(@Param('id', ParseIntPipe) id: number) {
    return { ...this.pets.find(id), region: this.region };
  }
}

@Module({
  controllers: [PetsController],
  providers: [PetsService, { provide: 'REGION', useValue: 'production' }],
})
class PetsModule {}

describe("a feature in a test module with Nest's own adapter", () => {
  it('uses the overridden providers and guards', async () => {
    const module = await Test.createTestingModule({ imports: [PetsModule] })
      .overrideProvider(PetsService)
      .useValue({ find: (id: number) => ({ id, source: 'test' }) })
      .overrideProvider('REGION')
      .useFactory({ factory: () => 'test' })
      .overrideGuard(ClosedGuard)
      .useValue({ canActivate: () => true })
      .compile();
    const app = module.createNestApplication<NestExpressApplication>();
    await app.init();
    await request(app.getHttpServer())
      .get('/pets/1')
      .expect(200, { id: 1, source: 'test', region: 'test' });
    await app.close();
  });

  it("has Nest's error format, because it does not contain the platform", async () => {
    const module = await Test.createTestingModule({ imports: [PetsModule] }).compile();
    const app = module.createNestApplication<NestExpressApplication>();
    await app.init();
    await request(app.getHttpServer())
      .get('/pets/1')
      .expect(403, { message: 'Forbidden resource', error: 'Forbidden', statusCode: 403 });
    await app.close();
    const { app: service } = await createTestApp({ features: [PetsModule] });
    await request(service.getHttpServer())
      .get('/pets/1')
      .expect(403, { detail: 'Forbidden resource' });
  });

  it('overrides a global guard that is registered with useExisting', async () => {
    @Injectable()
    class GlobalGuard extends ClosedGuard {}

    @Module({
      imports: [PetsModule],
      providers: [GlobalGuard, { provide: APP_GUARD, useExisting: GlobalGuard }],
    })
    class GuardedModule {}

    const module = await Test.createTestingModule({ imports: [GuardedModule] })
      .overrideProvider(GlobalGuard)
      .useValue({ canActivate: () => true })
      .overrideGuard(ClosedGuard)
      .useValue({ canActivate: () => true })
      .compile();
    const app = module.createNestApplication<NestExpressApplication>();
    await app.init();
    await request(app.getHttpServer())
      .get('/pets/2')
      .expect(200, { id: 2, source: 'database', region: 'production' });
    await app.close();
  });

  it('mocks missing dependencies', async () => {
    const module = await Test.createTestingModule({ controllers: [PetsController] })
      .useMocker((token) => (token === PetsService ? { find: () => ({ mocked: true }) } : 'mock'))
      .compile();
    expect(module.get(PetsController).find(1)).toEqual({ mocked: true, region: 'mock' });
  });
});
