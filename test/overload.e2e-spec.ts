import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { jest } from '@jest/globals';
import { parse } from 'yaml';
import { openSocket } from './fixtures/http.js';
import { itOnLinux } from './fixtures/linux.js';
import { type Service, startWithManagementPort, stopService } from './fixtures/process.js';

const CONNECTIONS = 1000;

const REQUEST = 'GET /system/healthz HTTP/1.1\r\nHost: a\r\n\r\n';
const END_OF_RESPONSE = 'is alive and running!"}';

/** Requests that a client sends at once, so that few clients are enough to overload the service. */
const REQUESTS_PER_BURST = 15;

/** A probe in the Kubernetes manifest. */
interface Probe {
  httpGet: { path: string; port: 'http' | 'management' };
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
async function runProbe(
  urls: Record<'http' | 'management', string>,
  probe: Probe,
): Promise<string> {
  const { path, port } = probe.httpGet;
  const errors: unknown[] = [];
  while (errors.length < probe.failureThreshold) {
    try {
      const response = await fetch(urls[port] + path, {
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
  throw new AggregateError(errors, `${path} failed`);
}

/** Opens a connection, and pipelines requests on it until the signal aborts. */
async function runClient(service: Service, signal: AbortSignal): Promise<void> {
  const socket = await openSocket(service);
  const sendBurst = () => socket.write(REQUEST.repeat(REQUESTS_PER_BURST));
  signal.addEventListener('abort', () => socket.resetAndDestroy());
  let received = '';
  socket.setEncoding('latin1').on('data', (data: string) => {
    received += data;
    if (received.split(END_OF_RESPONSE).length <= REQUESTS_PER_BURST) return;
    received = '';
    sendBurst();
  });
  sendBurst();
  await once(socket, 'close');
}

// Node.js 24 needs half a minute to accept enough connections.
jest.setTimeout(180_000);

describe('the service under overload', () => {
  // Other systems limit the backlog and the number of open files.
  itOnLinux('passes the probes of Kubernetes and reports degraded', async () => {
    const { livenessProbe, readinessProbe } = await readManifest();
    const [service, managementUrl] = await startWithManagementPort();
    const urls = { http: service.url, management: managementUrl };
    const load = new AbortController();
    // Node.js accepts one connection per iteration of the event loop, so most of them are never accepted.
    const clients = Array.from({ length: CONNECTIONS }, () => runClient(service, load.signal));
    let report: { status: string };
    do {
      expect(JSON.parse(await runProbe(urls, livenessProbe))).toMatchObject({ status: 'ok' });
      report = JSON.parse(await runProbe(urls, readinessProbe)) as typeof report;
    } while (report.status === 'ok');
    expect(report).toEqual({
      status: 'degraded',
      checks: { event_loop: 'down', log: expect.stringMatching(/^(up|down)$/) as string },
    });
    load.abort();
    await Promise.all(clients);
    expect(await stopService(service)).toMatchObject({ code: 0, stderr: '' });
  });
});
