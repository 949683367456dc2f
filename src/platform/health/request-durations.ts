import type { Histogram, Registry } from 'prom-client';

/** In seconds: an answer from memory takes a tenth of a millisecond, one that waits up to ten seconds. */
export const BUCKETS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

const NAME = 'http_request_duration_seconds';

/** What was counted for one set of labels. */
interface Series {
  labels: { method: string; route: string; status: number };
  /** How many were as short as each bucket allows, and longer than the one before. */
  buckets: number[];
  /** How many there were, longer ones too. */
  count: number;
  /** In seconds. */
  sum: number;
}

/**
 * The histogram `http_request_duration_seconds`. It counts by itself, and prom-client is told when it
 * asks: its own histogram makes an object and a text of the labels for each observation, and looks for
 * the bucket by the text of its number.
 */
export class RequestDurations {
  readonly name = NAME;
  readonly help = 'How long requests took, from their headers to the end of the answer.';
  readonly type = 'histogram';
  private readonly series: Series[] = [];
  private readonly index = new Map<string, Map<string, Map<number, Series>>>();

  /** Adds the histogram to a registry, to which it is a metric like those of prom-client. */
  constructor(registry: Registry) {
    registry.registerMetric(this as unknown as Histogram);
  }

  /** Counts one request. */
  observe(method: string, route: string, status: number, seconds: number): void {
    const series = this.seriesOf(method, route, status);
    const bucket = BUCKETS.findIndex((limit) => seconds <= limit);
    if (bucket >= 0) series.buckets[bucket] = (series.buckets[bucket] ?? 0) + 1;
    series.count += 1;
    series.sum += seconds;
  }

  /** As prom-client's metrics answer. */
  get() {
    const { name, help, type } = this;
    return Promise.resolve({
      name,
      help,
      type,
      aggregator: 'sum',
      values: this.series.flatMap(valuesOf),
    });
  }

  /** Counts from the beginning. */
  reset(): void {
    this.series.length = 0;
    this.index.clear();
  }

  private seriesOf(method: string, route: string, status: number): Series {
    const byMethod = childOf(this.index, route, () => new Map<string, Map<number, Series>>());
    const byStatus = childOf(byMethod, method, () => new Map<number, Series>());
    return childOf(byStatus, status, () => {
      const labels = { method, route, status };
      const series = { labels, buckets: BUCKETS.map(() => 0), count: 0, sum: 0 };
      this.series.push(series);
      return series;
    });
  }
}

function valuesOf({ labels, buckets, count, sum }: Series) {
  let upTo = 0;
  return [
    ...buckets.map((inBucket, i) => {
      upTo += inBucket;
      return { labels: { le: BUCKETS[i], ...labels }, value: upTo, metricName: `${NAME}_bucket` };
    }),
    { labels: { le: '+Inf', ...labels }, value: count, metricName: `${NAME}_bucket` },
    { labels: { ...labels }, value: sum, metricName: `${NAME}_sum` },
    { labels: { ...labels }, value: count, metricName: `${NAME}_count` },
  ];
}

function childOf<Key, Child>(map: Map<Key, Child>, key: Key, create: () => Child): Child {
  const known = map.get(key);
  if (known !== undefined) return known;
  const child = create();
  map.set(key, child);
  return child;
}
