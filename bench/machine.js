// The machine: requirements, cores and commands. Shared by bench.js and soak.js.
import { execFile } from 'node:child_process';
import { openSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, release } from 'node:os';
import { promisify } from 'node:util';

/** Runs a command to its end. Resolves with `stdout`; rejects when the command fails. */
export const run = promisify(execFile);

/** The server under test has this core to itself. */
export const SERVER_CORE = '0';

/** The core of wrk and of this process, which is idle while wrk runs. */
export const CLIENT_CORE = '1';

/** An expected error: its message says what to do, so it is printed without a stack. */
export class BenchmarkError extends Error {}

/**
 * Parses the value of an option.
 *
 * @param {string} option its name
 * @param {string} value
 * @throws BenchmarkError if it is not a positive integer
 */
export function parseCount(option, value) {
  const count = Number(value);
  if (!Number.isInteger(count) || count < 1) {
    throw new BenchmarkError(`${option} must be a positive integer, but is ${value}.`);
  }
  return count;
}

/**
 * Prints the error and exits with code 1, even if a server is still running.
 *
 * @param {Error & { code?: string | number }} error
 */
export function exitWithError(error) {
  const isExpected =
    error instanceof BenchmarkError || String(error.code).startsWith('ERR_PARSE_ARGS');
  console.error(isExpected ? error.message : error);
  process.exit(1);
}

/**
 * Verifies the requirements, moves this process to the client's core, and keeps idle cores awake.
 *
 * @returns a description of the machine
 */
export async function prepareMachine() {
  if (process.platform !== 'linux') {
    throw new BenchmarkError('The benchmark reads /proc. Run it on Linux.');
  }
  if (availableParallelism() < 2) {
    throw new BenchmarkError('The benchmark needs two cores: one for the server, one for wrk.');
  }
  // `wrk -v` prints its version together with its usage, and exits with code 1.
  const { stdout } = await run('sh', ['-c', 'wrk -v 2>&1 || true']);
  const wrk = /^wrk (?:debian\/)?(\S+)/.exec(stdout)?.[1];
  if (wrk === undefined) {
    throw new BenchmarkError('wrk was not found. Install it, on Debian with: apt-get install wrk');
  }
  await run('taskset', ['-acp', CLIENT_CORE, String(process.pid)]);
  return {
    CPU: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    kernel: release(),
    wrk,
    'idle cores': keepCoresAwake(),
  };
}

/**
 * Keeps idle cores from sleeping until this process exits, if permitted. On a virtual machine, waking
 * a sleeping core costs about 20 µs, which some responses pay and others do not.
 */
function keepCoresAwake() {
  try {
    writeSync(openSync('/dev/cpu_dma_latency', 'w'), new Int32Array([0]));
    return 'polling (0 in /dev/cpu_dma_latency)';
  } catch {
    return 'may sleep (run as root for steadier results)';
  }
}
