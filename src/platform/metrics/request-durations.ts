import { setImmediate } from 'node:timers/promises';
import type { Histogram, Registry } from 'prom-client';

/** Upper bounds in seconds. A response from memory takes about 0.1 ms. */
export const BUCKETS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

const NAME = 'http_request_duration_seconds';

interface Series {
  labels: { method: string; route: string; status: number };
  /** The labels in the text format. */
  text: string;
  /** Number of observations per bucket, not cumulative. */
  buckets: number[];
  /** Number of all observations, including those above the last bucket. */
  count: number;
  sum: number;
}

/**
 * The histogram `http_request_duration_seconds`. It stores observations itself and converts them for
 * prom-client at each scrape: prom-client's `Histogram` builds an object and a string of the labels for
 * each observation.
 */
export class RequestDurations {
  readonly name = NAME;
  readonly help = 'Duration of requests, from their headers to the end of the response.';
  readonly type = 'histogram';
  private readonly series: Series[] = [];
  private readonly seriesByLabels = new Map<string, Map<string, Map<number, Series>>>();

  constructor(registry: Registry) {
    registry.registerMetric(this as unknown as Histogram);
  }

  observe(method: string, route: string, status: number, seconds: number): void {
    const series = this.getSeries(method, route, status);
    const bucket = BUCKETS.findIndex((limit) => seconds <= limit);
    if (bucket >= 0) series.buckets[bucket] = (series.buckets[bucket] ?? 0) + 1;
    series.count += 1;
    series.sum += seconds;
  }

  /** Implements prom-client's metric interface. */
  get() {
    const { name, help, type } = this;
    return Promise.resolve({
      name,
      help,
      type,
      aggregator: 'sum',
      values: this.series.flatMap(toValues),
    });
  }

  /**
   * Implements prom-client's metric interface for the text format. Returns one value per series, whose
   * name contains the lines of the series up to the last value: with 1,200 series, prom-client takes
   * 70 ms to format a value per line (Node 24). The registry must not have default labels.
   */
  async getForPromString() {
    const { name, help, type } = this;
    const values = this.series.map((series) => ({
      metricName: formatLines(series),
      value: series.count,
    }));
    // prom-client joins the lines in the next iteration of the event loop.
    await setImmediate();
    return { name, help, type, values };
  }

  /** Implements prom-client's metric interface. */
  reset(): void {
    this.series.length = 0;
    this.seriesByLabels.clear();
  }

  private getSeries(method: string, route: string, status: number): Series {
    const byMethod = getOrCreate(
      this.seriesByLabels,
      route,
      () => new Map<string, Map<number, Series>>(),
    );
    const byStatus = getOrCreate(byMethod, method, () => new Map<number, Series>());
    return getOrCreate(byStatus, status, () => {
      const labels = { method, route, status };
      const text = `method="${method}",route="${escapeValue(route)}",status="${status}"`;
      const series = { labels, text, buckets: BUCKETS.map(() => 0), count: 0, sum: 0 };
      this.series.push(series);
      return series;
    });
  }
}

/** Formats the lines of a series in the text format, without the value of the last line. */
function formatLines({ text, buckets, count, sum }: Series): string {
  let lines = '';
  let cumulative = 0;
  for (const [i, observations] of buckets.entries()) {
    cumulative += observations;
    lines += `${NAME}_bucket{le="${BUCKETS[i]}",${text}} ${cumulative}\n`;
  }
  return `${lines}${NAME}_bucket{le="+Inf",${text}} ${count}\n${NAME}_sum{${text}} ${sum}\n${NAME}_count{${text}}`;
}

function escapeValue(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"');
}

function toValues({ labels, buckets, count, sum }: Series) {
  let cumulative = 0;
  return [
    ...buckets.map((observations, i) => {
      cumulative += observations;
      return {
        labels: { le: BUCKETS[i], ...labels },
        value: cumulative,
        metricName: `${NAME}_bucket`,
      };
    }),
    { labels: { le: '+Inf', ...labels }, value: count, metricName: `${NAME}_bucket` },
    { labels: { ...labels }, value: sum, metricName: `${NAME}_sum` },
    { labels: { ...labels }, value: count, metricName: `${NAME}_count` },
  ];
}

function getOrCreate<Key, Value>(map: Map<Key, Value>, key: Key, create: () => Value): Value {
  const existing = map.get(key);
  if (existing !== undefined) return existing;
  const value = create();
  map.set(key, value);
  return value;
}
