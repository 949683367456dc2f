import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { parse } from 'yaml';
import { openSocket } from './fixtures/http.js';
import { itOnLinux } from './fixtures/linux.js';
import { type Service, startService, stopService } from './fixtures/process.js';

const CONNECTIONS = 3000;

const REQUEST = 'GET /system/healthz HTTP/1.1\r\nHost: a\r\n\r\n';
const END_OF_RESPONSE = 'is alive and running!"}';

/** How long the requests that are sent at once should take, in milliseconds. */
const BURST_MS = 3000;

/** A probe in the Kubernetes manifest. */
interface Probe {
  httpGet: { path: string };
  timeoutSeconds: number;
  failureThreshold: number;
}

interface Container {
  livenessProbe: Probe;
  readinessProbe: Probe;
}

async function readManifest(): Promise<Container> {
  const manifest = parse(await readFile('deploy/kubernetes/deployment.yaml', 'utf8')) as {
    spec: { template: { spec: { containers: [Container] } } };
  };
  return manifest.spec.template.spec.containers[0];
}

/**
 * Sends a request as the kubelet does: on a new connection, and again if it fails.
 *
 * @returns the body of the response
 * @throws AggregateError if as many attempts in a row fail as make Kubernetes act
 */
async function runProbe(service: Service, probe: Probe): Promise<string> {
  const errors: unknown[] = [];
  while (errors.length < probe.failureThreshold) {
    try {
      const response = await fetch(service.url + probe.httpGet.path, {
        headers: { Connection: 'close' },
        signal: AbortSignal.timeout(probe.timeoutSeconds * 1000),
      });
      const body = await response.text();
      if (response.status === 200) return body;
      errors.push(new Error(`${response.status}: ${body}`));
    } catch (error) {
      errors.push(error);
    }
  }
  throw new AggregateError(errors, `${probe.httpGet.path} failed`);
}

/** Pipelines requests on each connection, and waits for all responses. */
async function sendBurst(sockets: Socket[], requestsPerSocket: number): Promise<void> {
  const requests = REQUEST.repeat(requestsPerSocket);
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<void>((resolve) => {
          let open = requestsPerSocket;
          let rest = '';
          const read = (data: string) => {
            const parts = (rest + data).split(END_OF_RESPONSE);
            rest = parts.pop() ?? '';
            open -= parts.length;
            if (open > 0) return;
            socket.off('data', read);
            resolve();
          };
          socket.on('data', read).write(requests);
        }),
    ),
  );
}

describe('the service under overload', () => {
  // Other systems limit the backlog and the number of open files.
  itOnLinux('passes the probes of Kubernetes and reports degraded', async () => {
    const { livenessProbe, readinessProbe } = await readManifest();
    const service = await startService();
    // Opened before the load starts: under load, Node.js accepts one connection per 1,024 requests.
    const sockets = await Promise.all(
      Array.from({ length: CONNECTIONS }, () => openSocket(service)),
    );
    for (const socket of sockets) socket.setEncoding('latin1');
    // The first burst is slow, because the code is not yet optimized.
    await sendBurst(sockets, 1);
    const startTime = performance.now();
    await sendBurst(sockets, 1);
    const requestsPerSocket = Math.ceil(BURST_MS / (performance.now() - startTime));
    const load = new AbortController();
    const isLoadEnded = (async () => {
      while (!load.signal.aborted) await sendBurst(sockets, requestsPerSocket);
    })();
    let report: { status: string };
    do {
      await runProbe(service, livenessProbe);
      report = JSON.parse(await runProbe(service, readinessProbe)) as typeof report;
    } while (report.status === 'ok');
    expect(report).toEqual({
      status: 'degraded',
      checks: { event_loop: 'down', log: expect.stringMatching(/^(up|down)$/) as string },
    });
    load.abort();
    await isLoadEnded;
    expect(await stopService(service)).toMatchObject({ code: 0, stderr: '' });
  });
});
