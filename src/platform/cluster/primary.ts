import cluster, { type Worker } from 'node:cluster';
import { setTimeout as wait } from 'node:timers/promises';
import { Logger } from '@nestjs/common';

/** What the primary tells a worker. Only the worker that asked gets the metrics of all. */
export type ToWorker =
  | { signal: NodeJS.Signals }
  | { doors: 'closed' }
  | { give: 'metrics' }
  /** A list for each worker; null when one did not give its own. */
  | { allMetrics: unknown[] | null };

/** What a worker tells the primary. */
export type ToPrimary = { door: 'closed' } | { want: 'metrics' } | { metrics: unknown };

/** A worker that ends sooner than this after its start is replaced after a pause, in milliseconds. */
const STABLE_MS = 10_000;

/** The first such pause and the longest, in milliseconds; each is twice the one before. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/** How long a worker may take to give its metrics, in milliseconds. */
const METRICS_MS = 2000;

/**
 * The process that starts the workers, each of which runs the whole application on the same port,
 * and starts another one for each that dies. It serves no request itself.
 */
export class Primary {
  private readonly logger = new Logger(Primary.name);
  private readonly listening = new Set<Worker>();
  private readonly stopping = new AbortController();

  /** @param count how many workers there are to be */
  constructor(private readonly count: number) {}

  /**
   * Starts the workers: the others when the first one listens, so that what is wrong with the
   * settings or a feature is said once.
   *
   * @returns false when the first worker ended; it has said why on standard error
   */
  async start(): Promise<boolean> {
    const first = this.fork();
    const isListening = await new Promise<boolean>((resolve) => {
      first.once('listening', () => {
        resolve(true);
      });
      first.once('exit', () => {
        resolve(false);
      });
    });
    if (this.stopping.signal.aborted) return true;
    if (!isListening) return false;
    this.replaceWhenGone(first, 0);
    for (let i = 1; i < this.count; i++) this.replaceWhenGone(this.fork(), 0);
    return true;
  }

  /**
   * Ends the workers in good order, as the signal asks for.
   *
   * @returns whether all of them ended in good order
   */
  async stop(signal: NodeJS.Signals): Promise<boolean> {
    this.stopping.abort();
    const open = new Set(workers());
    const closeDoorOf = (worker: Worker) => {
      if (!open.delete(worker) || open.size > 0) return;
      for (const other of workers()) tell(other, { doors: 'closed' });
    };
    const codes = workers().map(
      (worker) =>
        new Promise<number | null>((resolve) => {
          worker.on('message', (message: ToPrimary) => {
            if ('door' in message) closeDoorOf(worker);
          });
          worker.once('exit', (code: number | null) => {
            closeDoorOf(worker);
            resolve(code);
          });
          tell(worker, { signal });
        }),
    );
    return (await Promise.all(codes)).every((code) => code === 0);
  }

  /** Sends a signal to the workers themselves. */
  pass(signal: NodeJS.Signals): void {
    for (const worker of workers()) worker.process.kill(signal);
  }

  private fork(): Worker {
    const worker = cluster.fork();
    worker.once('listening', () => this.listening.add(worker));
    worker.once('exit', () => this.listening.delete(worker));
    worker.on('message', (message: ToPrimary) => {
      if ('want' in message) void this.collectMetricsFor(worker);
    });
    return worker;
  }

  /** @param deaths how many in a row died at once in the place of this one */
  private replaceWhenGone(worker: Worker, deaths: number): void {
    const startedAt = performance.now();
    worker.once('exit', (code: number | null, signal: NodeJS.Signals | null) => {
      if (this.stopping.signal.aborted) return;
      const isStable = performance.now() - startedAt >= STABLE_MS;
      void this.replace(worker, signal ?? `code ${code}`, isStable ? 0 : deaths + 1);
    });
  }

  private async replace({ id }: Worker, reason: string, deaths: number): Promise<void> {
    const pauseMs = deaths && Math.min(FIRST_PAUSE_MS * 2 ** (deaths - 1), LONGEST_PAUSE_MS);
    this.logger.error(`Worker ${id} ended (${reason}); another one starts in ${pauseMs} ms`);
    try {
      await wait(pauseMs, undefined, { signal: this.stopping.signal });
    } catch {
      return;
    }
    this.replaceWhenGone(this.fork(), deaths);
  }

  private async collectMetricsFor(asker: Worker): Promise<void> {
    // One that starts has none yet.
    const metrics = await Promise.all([...this.listening].map(metricsOf));
    tell(asker, { allMetrics: metrics.includes(undefined) ? null : metrics });
  }
}

function workers(): Worker[] {
  return Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
}

function tell(worker: Worker, message: ToWorker): void {
  // One that is about to be gone gets nothing more.
  if (worker.isConnected()) worker.send(message, () => undefined);
}

function metricsOf(worker: Worker): Promise<unknown> {
  return new Promise((resolve) => {
    const settle = (metrics?: unknown) => {
      clearTimeout(timer);
      worker.off('message', onMessage);
      resolve(metrics);
    };
    const onMessage = (message: ToPrimary) => {
      if ('metrics' in message) settle(message.metrics);
    };
    const timer = setTimeout(settle, METRICS_MS);
    worker.on('message', onMessage);
    tell(worker, { give: 'metrics' });
  });
}
