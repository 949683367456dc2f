import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import type { Express, NextFunction, Request, Response } from 'express';
import { Registry } from 'prom-client';
import { ApiAdapter } from '../http/api.adapter.js';
import { securityHeaders } from '../http/default-headers.js';
import { ErrorFilter } from '../http/error.filter.js';
import { assignRequestId } from '../http/request-id.js';
import { RequestTracker } from '../http/request-tracker.js';
import { ConnectionTracker } from '../lifecycle/connection-tracker.js';
import { LifecycleService } from '../lifecycle/lifecycle.service.js';
import { Settings } from '../settings/settings.js';
import { StartupError } from '../startup-error.js';

/** Time limit of a scrape that is in progress when the process stops. */
const CLOSE_TIMEOUT_MS = 1000;

/**
 * Serves `/metrics`, and the routes below `/system/` such as probes, on `METRICS_PORT`, with the headers and
 * errors of the main port. Listens before the main port does, and until it is closed.
 *
 * Node.js accepts one connection per iteration of the event loop and port. A probe on the main port would
 * wait for all connections that were opened before it, which takes minutes under overload.
 */
@Injectable()
export class MetricsServer implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(MetricsServer.name);
  private readonly connections = new ConnectionTracker();
  private readonly server: Server;

  constructor(
    private readonly settings: Settings,
    registry: Registry,
    main: HttpAdapterHost,
    lifecycle: LifecycleService,
  ) {
    const { connections } = this;
    const adapter = new ApiAdapter({
      settings,
      lifecycle: new LifecycleService(connections),
      connections,
      middleware: [assignRequestId, new RequestTracker(connections).track],
      defaultHeaders: securityHeaders,
      registerLastRoutes: () => undefined,
    });
    adapter.getInstance<Express>().get('/metrics', (_req, res, next) => {
      registry.metrics().then((metrics) => {
        res.set('Cache-Control', 'no-store').type(Registry.PROMETHEUS_CONTENT_TYPE).send(metrics);
      }, next);
    });
    adapter.getInstance<Express>().all('/system/{*path}', (req, res, next) => {
      // The main port does not listen yet, and features may still be starting.
      // Not an exception, which would be logged as an error.
      if (lifecycle.phase === 'starting') adapter.reply(res, { detail: 'Starting' }, 503);
      else main.httpAdapter.getInstance<Express>()(req, res, next);
    });
    adapter.setNotFoundHandler();
    const host = new HttpAdapterHost();
    host.httpAdapter = adapter;
    const filter = new ErrorFilter(host);
    adapter.setErrorHandler((error: unknown, req: Request, res: Response, _next: NextFunction) => {
      filter.catch(error, new ExecutionContextHost([req, res]));
    });
    adapter.initHttpServer();
    this.server = adapter.getHttpServer();
  }

  /** @throws StartupError if the port is in use */
  async onApplicationBootstrap(): Promise<void> {
    const { HOST, METRICS_PORT } = this.settings;
    try {
      // Without SO_REUSEPORT, because each process has metrics of its own.
      await once(this.server.listen(METRICS_PORT, HOST), 'listening');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new StartupError(
        `Cannot listen on ${HOST}:${METRICS_PORT} (${code}). Set METRICS_PORT to a port that is free.`,
        { cause: error },
      );
    }
    this.logger.log(
      `Serving /metrics and /system on port ${(this.server.address() as AddressInfo).port}`,
    );
  }

  async onApplicationShutdown(): Promise<void> {
    if (this.server.listening) await this.connections.close(CLOSE_TIMEOUT_MS);
  }
}
