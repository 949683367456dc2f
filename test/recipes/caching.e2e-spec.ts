import {
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Module,
  NotFoundException,
  Post,
  UseInterceptors,
} from '@nestjs/common';
import {
  type Cache,
  CACHE_MANAGER,
  CacheInterceptor,
  CacheKey,
  CacheModule,
  CacheTTL,
} from '@nestjs/cache-manager';
import { APP_INTERCEPTOR } from '@nestjs/core';
import request from 'supertest';
import { LifecycleService } from '../../src/platform/lifecycle/lifecycle.service.js';
import { createTestApp } from '../fixtures/app.js';

@Controller('reports')
class ReportsController {
  private reads = 0;

  constructor(@Inject(CACHE_MANAGER) private readonly cache: Cache) {}

  @Get()
  list(): { reads: number } {
    return { reads: ++this.reads };
  }

  @Get('monthly')
  @CacheKey('monthly-report')
  @CacheTTL(600_000)
  readMonthly(): { reads: number } {
    return { reads: ++this.reads };
  }

  @Get('absent')
  readAbsent(): never {
    throw new NotFoundException(`Read ${++this.reads}`);
  }

  @Post()
  create(): { reads: number } {
    return { reads: ++this.reads };
  }

  @Delete('monthly')
  @HttpCode(204)
  async deleteMonthly(): Promise<void> {
    await this.cache.del('monthly-report');
  }
}

describe('CacheInterceptor of a controller', () => {
  @Controller('reports')
  @UseInterceptors(CacheInterceptor)
  class CachedReportsController extends ReportsController {}

  @Module({ imports: [CacheModule.register()], controllers: [CachedReportsController] })
  class ReportsModule {}

  it('caches responses to GET by URL, but no errors', async () => {
    const { app } = await createTestApp({ features: [ReportsModule] });
    const server = app.getHttpServer();
    await request(server).get('/reports').expect(200, { reads: 1 }).expect('X-Cache', 'MISS');
    await request(server)
      .get('/reports')
      .expect(200, { reads: 1 })
      .expect('X-Cache', 'HIT')
      .expect('Content-Type', 'application/json')
      .expect('Cache-Control', 'no-store');
    await request(server).get('/reports?year=2026').expect(200, { reads: 2 });
    await request(server).post('/reports').expect(201, { reads: 3 });
    await request(server).post('/reports').expect(201, { reads: 4 });
    await request(server).get('/reports/absent').expect(404, { detail: 'Read 5' });
    await request(server).get('/reports/absent').expect(404, { detail: 'Read 6' });
  });

  it('caches under the key of @CacheKey(), which the injected cache can delete', async () => {
    const { app } = await createTestApp({ features: [ReportsModule] });
    const server = app.getHttpServer();
    await request(server).get('/reports/monthly').expect(200, { reads: 1 });
    await request(server).get('/reports/monthly?any=1').expect(200, { reads: 1 });
    await request(server).delete('/reports/monthly').expect(204, '');
    await request(server).get('/reports/monthly').expect(200, { reads: 2 });
  });
});

describe('CacheInterceptor as APP_INTERCEPTOR', () => {
  @Module({
    imports: [CacheModule.register()],
    controllers: [ReportsController],
    providers: [{ provide: APP_INTERCEPTOR, useClass: CacheInterceptor }],
  })
  class ReportsModule {}

  it('caches the responses of features', async () => {
    const { app } = await createTestApp({ features: [ReportsModule] });
    const server = app.getHttpServer();
    await request(server).get('/reports').expect(200, { reads: 1 });
    await request(server).get('/reports').expect(200, { reads: 1 }).expect('X-Cache', 'HIT');
  });

  it('does not cache the responses to probes and monitors', async () => {
    const { app, log } = await createTestApp({ features: [ReportsModule] });
    const server = app.getHttpServer();
    for (const path of [
      '/system/healthz',
      '/system/readyz',
      '/system/info',
      '/metrics',
      '/smoke-test',
      '/api/v1/smoke-test',
      '/v1/health/smoke-test',
    ]) {
      for (let count = 0; count < 2; count++) {
        const { headers } = await request(server).get(path).expect(200);
        expect(headers).not.toHaveProperty('x-cache');
      }
    }
    expect(log.filter(({ event }) => event === 'smoke_test_executed')).toHaveLength(2);
    app.get(LifecycleService).enter('draining');
    await request(server).get('/system/readyz').expect(503, { status: 'draining', checks: {} });
  });
});
