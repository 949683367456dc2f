import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { Settings } from '../config.js';
import { ReadinessCheck, type ReadinessIndicator } from './readiness-check.decorator.js';

const MEGABYTE = 1024 ** 2;

/** The share of the limit from which on the heap is full. */
const FULL = 0.9;

/** How long it is between two collections of garbage for this check, in milliseconds. */
const COLLECTION_PAUSE_MS = 30_000;

/**
 * Whether the heap has room. It looks at the old generation, since it is that which ends the
 * process when it is full. `heap_size_limit` has the young generation in it, which is 48 to 192 MB,
 * depending on Node's version: with `--max-old-space-size=64`, a process dies at half of that limit.
 */
@Injectable()
@ReadinessCheck({ name: 'heap' })
export class HeapIndicator implements ReadinessIndicator {
  /** The most that the old generation may hold, in bytes. */
  readonly limit: number;
  private collectedAt = -Infinity;

  constructor(config: ConfigService<Settings, true>) {
    // V8 takes the last; 0 stands for its own choice.
    const options = [config.get('NODE_OPTIONS', { infer: true }), ...process.execArgv].join(' ');
    const given = [...options.matchAll(/--max[-_]old[-_]space[-_]size[= ](\d+)/g)].at(-1);
    this.limit = Number(given?.[1] ?? 0) * MEGABYTE || getHeapStatistics().heap_size_limit;
  }

  check(): undefined {
    if (this.used() <= this.limit * FULL) return;
    // A process that gets no requests does not collect its garbage either, and would stay full. This
    // holds the event loop, as V8's own collections of a heap that is so full do all the time.
    if (performance.now() - this.collectedAt > COLLECTION_PAUSE_MS) {
      collectGarbage();
      this.collectedAt = performance.now();
    }
    const used = this.used();
    if (used > this.limit * FULL) {
      const [usedMb, limitMb] = [used, this.limit].map((bytes) => Math.round(bytes / MEGABYTE));
      throw new Error(`The heap holds ${usedMb} MB of the ${limitMb} MB that it may`);
    }
  }

  private used(): number {
    return getHeapSpaceStatistics()
      .filter(({ space_name }) => !space_name.startsWith('new_'))
      .reduce((sum, { space_used_size }) => sum + space_used_size, 0);
  }
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  setFlagsFromString('--no-expose-gc');
}
