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

/** What a worker tells the primary; null for metrics that cannot be had. */
export type ToPrimary =
  /** It hears what it is told: before, Node drops that. */
  { ears: 'open' } | { door: 'closed' } | { want: 'metrics' } | { metrics: unknown[] | null };

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
  private readonly hearing = new Set<Worker>();
  private readonly listening = new Set<Worker>();
  private readonly stopping = new AbortController();
  private signal: NodeJS.Signals | undefined;
  private hungUpAt = -Infinity;
  private allMetrics: Promise<unknown[] | null> | undefined;

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
   * Ends the workers in good order, as the signal asks for, and those by force that are not gone in
   * time.
   *
   * @param limitMs how long they may take, in milliseconds
   * @returns whether all of them ended in good order
   */
  async stop(signal: NodeJS.Signals, limitMs: number): Promise<boolean> {
    this.signal = signal;
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
          if (this.hearing.has(worker)) tell(worker, { signal });
        }),
    );
    const limit = setTimeout(() => {
      this.kill();
    }, limitMs);
    const isGood = (await Promise.all(codes)).every((code) => code === 0);
    clearTimeout(limit);
    return isGood;
  }

  /** Ends what is left of the workers by force. */
  kill(): void {
    for (const worker of workers()) worker.process.kill('SIGKILL');
  }

  /** Lets the workers open the log anew. */
  hangUp(): void {
    this.hungUpAt = performance.now();
    for (const worker of this.listening) worker.process.kill('SIGHUP');
  }

  private fork(): Worker {
    const startedAt = performance.now();
    const worker = cluster.fork();
    worker.once('listening', () => {
      this.listening.add(worker);
      // It may have opened the log before that was moved.
      if (this.hungUpAt > startedAt) worker.process.kill('SIGHUP');
    });
    worker.once('exit', () => {
      this.hearing.delete(worker);
      this.listening.delete(worker);
    });
    worker.on('error', (error) => {
      this.logger.error(error);
    });
    worker.on('message', (message: ToPrimary) => {
      if ('want' in message) void this.giveMetricsTo(worker);
      if ('ears' in message) {
        this.hearing.add(worker);
        if (this.signal) tell(worker, { signal: this.signal });
      }
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

  private async giveMetricsTo(asker: Worker): Promise<void> {
    // However many ask at the same time, the workers are asked once.
    this.allMetrics ??= this.collectMetrics().finally(() => {
      this.allMetrics = undefined;
    });
    tell(asker, { allMetrics: await this.allMetrics });
  }

  private async collectMetrics(): Promise<unknown[] | null> {
    // One that starts has none yet.
    const metrics = await Promise.all([...this.listening].map(metricsOf));
    return metrics.includes(null) ? null : metrics;
  }
}

function workers(): Worker[] {
  return Object.values(cluster.workers ?? {}).filter(
    (worker) => worker !== undefined && !worker.isDead(),
  ) as Worker[];
}

function tell(worker: Worker, message: ToWorker): void {
  // One that is about to be gone gets nothing more.
  if (worker.isConnected()) worker.send(message, () => undefined);
}

/** The metrics of a worker; none when it ends meanwhile, null when it does not give them in time. */
function metricsOf(worker: Worker): Promise<unknown[] | null> {
  return new Promise((resolve) => {
    const settle = (metrics: unknown[] | null) => {
      clearTimeout(timer);
      worker.off('message', onMessage).off('exit', onExit);
      resolve(metrics);
    };
    const onMessage = (message: ToPrimary) => {
      if ('metrics' in message) settle(message.metrics);
    };
    const onExit = () => {
      settle([]);
    };
    const timer = setTimeout(settle, METRICS_MS, null);
    worker.on('message', onMessage).once('exit', onExit);
    tell(worker, { give: 'metrics' });
  });
}
