import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';

/** The built service as a process of its own, listening. */
export interface Service {
  url: string;
  process: ChildProcessByStdio<null, Readable, Readable>;
}

/** A process that is over. */
export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

const running = new Set<Service['process']>();

afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * Runs `node dist/main.js`.
 *
 * @param cwd the project's folder
 * @param env settings; of the environment of the tests it gets the path alone
 */
function run(cwd: string, env: Record<string, string>): Service['process'] {
  const child = spawn(process.execPath, ['dist/main.js'], {
    cwd,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** Runs the service where it is expected to end by itself. */
export async function runToEnd(env: Record<string, string> = {}, cwd = '.'): Promise<Ended> {
  const child = run(cwd, env);
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}

/** Starts the service on a free port of the loopback interface and waits until it listens. */
export async function startService(env: Record<string, string> = {}, cwd = '.'): Promise<Service> {
  const child = run(cwd, { HOST: '127.0.0.1', PORT: '0', ...env });
  const failure = text(child.stderr);
  for await (const line of createInterface(child.stdout)) {
    const url = /Listening on (http:\/\/[^ ,"]+)/.exec(line)?.[1];
    if (url !== undefined) return { url, process: child };
  }
  throw new Error(`The service did not start: ${await failure}`);
}

/** Ends a service and waits until it is gone. */
export async function stopService({ process: child }: Service): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await exit;
}
