import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HttpStatus, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import type { NextFunction, Request, Response } from 'express';
import { Registry } from 'prom-client';
import { InfoController } from '../health/info.controller.js';
import { getLiveness } from '../health/liveness.js';
import { ReadinessController } from '../health/readiness.controller.js';
import type { ReadinessService } from '../health/readiness.service.js';
import { ApiAdapter } from '../http/api.adapter.js';
import { ErrorFilter } from '../http/error.filter.js';
import { RequestTracker } from '../http/request-tracker.js';
import { ConnectionTracker } from '../lifecycle/connection-tracker.js';
import { type LifecycleService } from '../lifecycle/lifecycle.service.js';
import type { Settings } from '../settings/settings.js';
import { StartupError } from '../startup-error.js';

/** Time limit of a request that is in progress when the process stops. */
const CLOSE_TIMEOUT_MS = 1000;

/**
 * Serves `/metrics`, `/system/healthz`, `/system/readyz`, and `/system/info` on `MANAGEMENT_PORT`, with the
 * responses of the main port. No middleware, guard, interceptor, filter, or route of a feature acts on them.
 *
 * Node.js accepts one connection per iteration of the event loop and port. A probe on the main port would
 * wait for all connections that were opened before it, which takes minutes under overload.
 */
export class ManagementServer implements OnApplicationShutdown {
  private readonly logger = new Logger(ManagementServer.name);
  private readonly connections = new ConnectionTracker();
  private readonly server: Server;

  constructor(
    private readonly settings: Settings,
    registry: Registry,
    readiness: ReadinessService,
    lifecycle: LifecycleService,
  ) {
    const adapter = createAdapter(settings, this.connections);
    // Called directly, so that Nest adds no guards, interceptors, or filters.
    const infoController = new InfoController(settings);
    const readinessController = new ReadinessController(readiness);
    adapter.get('/metrics', async (_req: Request, res: Response) => {
      const metrics = await registry.metrics();
      res.set('Content-Type', Registry.PROMETHEUS_CONTENT_TYPE).set('Cache-Control', 'no-store');
      adapter.reply(res, metrics);
    });
    adapter.get('/system/healthz', (_req: Request, res: Response) => {
      adapter.reply(res, getLiveness());
    });
    adapter.get('/system/readyz', async (_req: Request, res: Response) => {
      if (lifecycle.phase === 'starting') {
        // Not an exception, which would be logged as an error.
        adapter.reply(res, { detail: 'Starting' }, HttpStatus.SERVICE_UNAVAILABLE);
      } else {
        adapter.reply(res, await readinessController.getReadiness(res));
      }
    });
    adapter.get('/system/info', (_req: Request, res: Response) => {
      adapter.reply(res, infoController.getInfo());
    });
    adapter.setNotFoundHandler();
    const filter = new ErrorFilter(Object.assign(new HttpAdapterHost(), { httpAdapter: adapter }));
    adapter.setErrorHandler((error: unknown, req: Request, res: Response, _next: NextFunction) => {
      filter.catch(error, new ExecutionContextHost([req, res]));
    });
    this.server = adapter.getHttpServer();
  }

  /**
   * Listens before the providers of features are created, so that a slow start does not fail the liveness
   * probe.
   *
   * @param signal closes the port when it is aborted
   * @throws StartupError if the port is in use
   */
  async listen(port: number, signal: AbortSignal): Promise<void> {
    const { HOST: host } = this.settings;
    try {
      // Without SO_REUSEPORT, because each process has metrics of its own.
      await once(this.server.listen({ port, host, signal }), 'listening');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new StartupError(
        `Cannot listen on ${host}:${port} (${code}). Set MANAGEMENT_PORT to a port that is free.`,
        { cause: error },
      );
    }
    const address = this.server.address() as AddressInfo;
    this.logger.log(`Serving metrics and probes on port ${address.port}`);
  }

  async onApplicationShutdown(): Promise<void> {
    if (this.server.listening) await this.connections.close(CLOSE_TIMEOUT_MS);
  }
}

/** Creates an HTTP server of its own, without routes. Its requests are neither logged nor measured. */
function createAdapter(settings: Settings, connections: ConnectionTracker): ApiAdapter {
  const adapter = new ApiAdapter(settings);
  adapter.initHttpServer();
  adapter.track(connections, new RequestTracker(connections));
  return adapter;
}
