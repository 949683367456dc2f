import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HttpConnection } from './http-connection.js';
import { type Options, parseOptions } from './options.js';
import { RunError } from './run-error.js';
import { VersionGate } from './version-gate.js';

const OLD = { version: '1.0.0', revision: 'aaaaaaaaaa' };
const NEW = { version: '1.1.0', revision: 'bbbbbbbbbb' };

/** The status of a response without a version, or the version in a response. */
type InfoResponse = number | typeof OLD;

describe('VersionGate', () => {
  let server: Server;
  let url: string;
  let connectionCount: number;
  let respond: (connection: number) => InfoResponse;

  beforeEach(async () => {
    connectionCount = 0;
    server = createServer((_, response) => {
      const info = respond(connectionCount);
      if (typeof info === 'number') response.writeHead(info).end();
      else response.end(JSON.stringify(info));
    }).on('connection', () => {
      connectionCount += 1;
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterEach(() => {
    server.close();
    server.closeAllConnections();
  });

  function createGate(...args: string[]): VersionGate {
    return new VersionGate(parseOptions([url, ...args]) as Options);
  }

  /** Calls `waitForVersion` and collects the reasons for its retries. */
  async function wait(gate: VersionGate) {
    const reasons: string[] = [];
    try {
      const info = await gate.waitForVersion((reason) => reasons.push(reason));
      return { info, reasons };
    } catch (error) {
      if (!(error instanceof RunError)) throw error;
      return { outcome: error.outcome, message: error.message, reasons };
    }
  }

  describe('waitForVersion', () => {
    it('requires the expected version on several new connections in a row', async () => {
      const responses = [OLD, NEW, 503, NEW, NEW, NEW];
      respond = (connection) => responses[connection - 1] ?? 500;
      const gate = createGate('--expect-version', NEW.version, '--wait', '1m');
      expect(await wait(gate)).toEqual({
        info: NEW,
        reasons: [
          'expected version 1.1.0, revision aaaaaaaaaa, got version 1.0.0, revision aaaaaaaaaa',
          'expected status 200 from /system/info, got 503',
        ],
      });
      expect(connectionCount).toBe(6);
    });

    it('requires as many responses as --stable', async () => {
      respond = () => NEW;
      await wait(createGate('--expect-version', NEW.version, '--stable', '5'));
      expect(connectionCount).toBe(5);
    });

    it('fails when the old version still responds after --wait', async () => {
      respond = () => OLD;
      const result = await wait(createGate('--expect-revision', NEW.revision, '--wait', '700ms'));
      const message =
        'expected version 1.0.0, revision bbbbbbbbbb, got version 1.0.0, revision aaaaaaaaaa';
      expect(result).toMatchObject({ outcome: 'wrongVersion', message });
      expect(new Set([message, ...result.reasons]).size).toBe(1);
    });

    it('reports the time left', async () => {
      respond = (connection) => (connection < 3 ? OLD : NEW);
      const times: number[] = [];
      const gate = createGate('--expect-version', NEW.version, '--wait', '1m');
      await gate.waitForVersion((_, remainingMs) => times.push(remainingMs));
      const [first = 0, second = 0] = times;
      expect(first).toBeLessThan(60_000);
      expect(second).toBeLessThan(first);
      expect(second).toBeGreaterThan(0);
    });

    it('fails when the versions alternate', async () => {
      respond = (connection) => (connection % 2 === 0 ? NEW : OLD);
      const result = await wait(createGate('--expect-version', NEW.version, '--wait', '700ms'));
      expect(result).toMatchObject({ outcome: 'wrongVersion' });
    });

    it.each<[string, InfoResponse, string]>([
      ['responds without a version', 404, 'expected a version at /system/info, got none'],
      ['responds with an error', 500, 'expected status 200 from /system/info, got 500'],
    ])('fails when a target %s', async (_, response, message) => {
      respond = () => response;
      const result = await wait(createGate('--expect-version', NEW.version));
      expect(result).toEqual({ outcome: 'unreachable', message, reasons: [] });
    });

    it('fails when nothing listens', async () => {
      server.close();
      await once(server, 'close');
      const result = await wait(createGate());
      expect(result).toMatchObject({ outcome: 'unreachable' });
      expect(result.message).toMatch(/^expected a response, got connect ECONNREFUSED 127\.0\.0\.1/);
    });

    it('waits until the target listens', async () => {
      respond = () => NEW;
      server.close();
      await once(server, 'close');
      const gate = createGate('--wait', '1m');
      const info = await gate.waitForVersion(() => {
        if (!server.listening) server.listen(Number(new URL(url).port), '127.0.0.1');
      });
      expect(info).toEqual(NEW);
    });

    it('returns any version when none is expected', async () => {
      respond = () => OLD;
      expect(await wait(createGate())).toEqual({ info: OLD, reasons: [] });
      expect(connectionCount).toBe(1);
    });

    it('accepts a target without a version when none is expected', async () => {
      respond = () => 404;
      expect(await wait(createGate())).toEqual({ info: undefined, reasons: [] });
    });

    it('waits for a target that responds with 503 when no version is expected', async () => {
      respond = (connection) => (connection === 1 ? 503 : OLD);
      const { info, reasons } = await wait(createGate('--wait', '1m'));
      expect(info).toEqual(OLD);
      expect(reasons).toHaveLength(1);
    });

    it.each([
      ['bbbbbbb', 'bbbbbbbbbb', true],
      ['bbbbbbbbbb', 'bbbbbbb', true],
      ['bbbbbbb', 'bbbbbbc', false],
      ['v1.2.0', 'v1.2.0', true],
      ['v1.2.0', 'v1.2.0-rc', false],
    ])('compares the expected revision %s with %s', async (expected, revision, isSame) => {
      respond = () => ({ ...NEW, revision });
      const { info } = await wait(createGate('--expect-revision', expected));
      expect(info !== undefined).toBe(isSame);
    });
  });

  describe('verifyConnection', () => {
    it('reads the version on the given connection', async () => {
      respond = () => NEW;
      const gate = createGate('--expect-version', NEW.version);
      const connection = new HttpConnection(parseOptions([url]) as Options);
      await gate.verifyConnection(connection);
      expect(await gate.verifyConnection(connection)).toEqual(NEW);
      connection.close();
      expect(connectionCount).toBe(1);
    });

    it('throws when another version responds', async () => {
      respond = () => OLD;
      const connection = new HttpConnection(parseOptions([url]) as Options);
      const verified = createGate('--expect-version', NEW.version).verifyConnection(connection);
      await expect(verified).rejects.toMatchObject({ outcome: 'wrongVersion' });
      connection.close();
    });
  });

  describe('confirmVersion', () => {
    it('reads the version on several new connections', async () => {
      respond = () => NEW;
      await createGate('--expect-version', NEW.version, '--stable', '4').confirmVersion();
      expect(connectionCount).toBe(4);
    });

    it('throws when the old version responds to one of them', async () => {
      respond = (connection) => (connection === 3 ? OLD : NEW);
      const confirmed = createGate('--expect-version', NEW.version).confirmVersion();
      await expect(confirmed).rejects.toMatchObject({ outcome: 'wrongVersion' });
    });

    it('sends no request when no version is expected', async () => {
      await createGate().confirmVersion();
      expect(connectionCount).toBe(0);
    });
  });
});
