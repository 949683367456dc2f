import { Controller, Get, Injectable, Module } from '@nestjs/common';
import {
  HealthCheck,
  HealthCheckService,
  HealthIndicatorService,
  MemoryHealthIndicator,
  TerminusModule,
} from '@nestjs/terminus';
import request from 'supertest';
import { createTestApp } from '../fixtures/app.js';

@Injectable()
class KennelIndicator {
  free = 1;

  constructor(private readonly indicators: HealthIndicatorService) {}

  isHealthy(key: string) {
    const indicator = this.indicators.check(key);
    return this.free > 0 ? indicator.up({ free: this.free }) : indicator.down({ free: this.free });
  }
}

@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly memory: MemoryHealthIndicator,
    private readonly kennels: KennelIndicator,
  ) {}

  @Get()
  @HealthCheck()
  check() {
    return this.health.check([
      () => this.memory.checkHeap('memory_heap', 8 * 1024 ** 3),
      () => this.kennels.isHealthy('kennels'),
    ]);
  }
}

@Module({
  imports: [TerminusModule],
  controllers: [HealthController],
  providers: [KennelIndicator],
})
class FeatureHealthModule {}

describe('a health check of Terminus in a feature', () => {
  it('returns 200 with the results, or 503 with them as detail', async () => {
    const { app } = await createTestApp({ features: [FeatureHealthModule] });
    const server = app.getHttpServer();
    const up = { memory_heap: { status: 'up' }, kennels: { status: 'up', free: 1 } };
    await request(server)
      .get('/health')
      .expect(200, { status: 'ok', info: up, error: {}, details: up })
      .expect('Cache-Control', 'no-cache, no-store, must-revalidate');
    app.get(KennelIndicator).free = 0;
    const kennels = { status: 'down', free: 0 };
    const info = { memory_heap: { status: 'up' } };
    await request(server)
      .get('/health')
      .expect(503, {
        detail: { status: 'error', info, error: { kennels }, details: { ...info, kennels } },
      });
    await request(server)
      .get('/system/readyz')
      .expect(200, { status: 'ok', checks: { event_loop: 'up', log: 'up' } });
  });
});
