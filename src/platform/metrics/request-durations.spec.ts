import { Histogram, Registry } from 'prom-client';
import { BUCKETS, RequestDurations } from './request-durations.js';

const OBSERVATIONS: [method: string, route: string, status: number, seconds: number][] = [
  ['GET', '/a', 200, 0.0003],
  ['GET', '/a', 200, 0],
  ['GET', '/a', 404, 0.00025],
  ['POST', '/a', 200, 0.1],
  ['GET', '/b/:id', 200, 10],
  ['GET', '/b/:id', 200, 10.5],
  ['GET', '/a', 200, 0.25],
  ['GET', '/"\\\n', 200, 0.25],
];

describe('RequestDurations', () => {
  let registry: Registry;
  let durations: RequestDurations;
  let reference: Registry;
  let histogram: Histogram;

  beforeEach(() => {
    registry = new Registry();
    durations = new RequestDurations(registry);
    reference = new Registry();
    histogram = new Histogram({
      name: 'http_request_duration_seconds',
      help: 'Duration of requests, from their headers to the end of the response.',
      labelNames: ['method', 'route', 'status'],
      buckets: BUCKETS,
      registers: [reference],
    });
  });

  function observe(): void {
    for (const [method, route, status, seconds] of OBSERVATIONS) {
      durations.observe(method, route, status, seconds);
      histogram.observe({ method, route, status }, seconds);
    }
  }

  it('exposes what a histogram of prom-client exposes', async () => {
    expect(await registry.metrics()).toBe(await reference.metrics());
    observe();
    expect(await registry.metrics()).toBe(await reference.metrics());
    expect(await registry.metrics()).toContain(
      'http_request_duration_seconds_bucket{le="0.00025",method="GET",route="/a",status="200"} 1\n',
    );
  });

  it('is not affected by changes to the returned values', async () => {
    observe();
    const before = await registry.metrics();
    for (const { labels } of (await durations.get()).values) labels.route = '/other';
    expect(await registry.metrics()).toBe(before);
  });

  it('resets like a histogram of prom-client', async () => {
    observe();
    registry.resetMetrics();
    reference.resetMetrics();
    expect(await registry.metrics()).toBe(await reference.metrics());
    observe();
    expect(await registry.metrics()).toBe(await reference.metrics());
  });
});
