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
];

describe('RequestDurations', () => {
  let own: Registry;
  let durations: RequestDurations;
  let reference: Registry;
  let histogram: Histogram;

  beforeEach(() => {
    own = new Registry();
    durations = new RequestDurations(own);
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

  it("says what prom-client's histogram says", async () => {
    expect(await own.metrics()).toBe(await reference.metrics());
    observe();
    expect(await own.metrics()).toBe(await reference.metrics());
    expect(await own.metrics()).toContain(
      'http_request_duration_seconds_bucket{le="0.00025",method="GET",route="/a",status="200"} 1\n',
    );
  });

  it('is not changed by what is done to its values', async () => {
    observe();
    const before = await own.metrics();
    for (const { labels } of (await durations.get()).values) labels.route = '/other';
    expect(await own.metrics()).toBe(before);
  });

  it('is reset as that is', async () => {
    observe();
    own.resetMetrics();
    reference.resetMetrics();
    expect(await own.metrics()).toBe(await reference.metrics());
    observe();
    expect(await own.metrics()).toBe(await reference.metrics());
  });
});
