import {
  ConfigurableModuleBuilder,
  Controller,
  type DynamicModule,
  Get,
  Inject,
  Injectable,
  Module,
  Optional,
  Scope,
} from '@nestjs/common';
import {
  type ContextId,
  ContextIdFactory,
  type ContextIdStrategy,
  type HostComponentInfo,
  INQUIRER,
  REQUEST,
} from '@nestjs/core';
import type { Request } from 'express';
import request from 'supertest';
import { createTestApp } from '../fixtures/app.js';

describe('the chapter "Dynamic modules"', () => {
  interface ConfigModuleOptions {
    folder: string;
  }

  it('passes the options of register() to providers', async () => {
    @Injectable()
    class ConfigService {
      constructor(@Inject('CONFIG_OPTIONS') private readonly options: ConfigModuleOptions) {}

      get(key: string): string {
        return `${this.options.folder}/${key}`;
      }
    }

    @Module({})
    class ConfigModule {
      static register(options: ConfigModuleOptions): DynamicModule {
        return {
          module: ConfigModule,
          providers: [{ provide: 'CONFIG_OPTIONS', useValue: options }, ConfigService],
          exports: [ConfigService],
        };
      }
    }

    @Controller('config')
    class ConfigController {
      constructor(private readonly configService: ConfigService) {}

      @Get()
      read() {
        return { value: this.configService.get('hello') };
      }
    }

    @Module({
      imports: [ConfigModule.register({ folder: './config' })],
      controllers: [ConfigController],
    })
    class AppModule {}

    const { app } = await createTestApp({ features: [AppModule] });
    await request(app.getHttpServer()).get('/config').expect(200, { value: './config/hello' });
  });

  it('passes the options of forRoot() and forRootAsync() of a ConfigurableModuleBuilder', async () => {
    const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
      new ConfigurableModuleBuilder<ConfigModuleOptions>()
        .setClassMethodName('forRoot')
        .setFactoryMethodName('createConfigOptions')
        .setExtras({ isGlobal: true }, (definition, extras) => ({
          ...definition,
          global: extras.isGlobal,
        }))
        .build();

    @Injectable()
    class ConfigService {
      constructor(@Inject(MODULE_OPTIONS_TOKEN) readonly options: ConfigModuleOptions) {}
    }

    @Module({ providers: [ConfigService], exports: [ConfigService] })
    class ConfigModule extends ConfigurableModuleClass {}

    @Injectable()
    class ConfigModuleOptionsFactory {
      createConfigOptions(): ConfigModuleOptions {
        return { folder: './class' };
      }
    }

    @Controller('config')
    class ConfigController {
      constructor(private readonly configService: ConfigService) {}

      @Get()
      read() {
        return this.configService.options;
      }
    }

    // Has no import of ConfigModule, which is global.
    @Module({ controllers: [ConfigController] })
    class PagesModule {}

    const modules: [DynamicModule, ConfigModuleOptions][] = [
      [ConfigModule.forRoot({ folder: './config' }), { folder: './config' }],
      [
        ConfigModule.forRootAsync({ useFactory: () => Promise.resolve({ folder: './factory' }) }),
        { folder: './factory' },
      ],
      [ConfigModule.forRootAsync({ useClass: ConfigModuleOptionsFactory }), { folder: './class' }],
    ];
    for (const [module, options] of modules) {
      const { app } = await createTestApp({ features: [module, PagesModule] });
      await request(app.getHttpServer()).get('/config').expect(200, options);
    }
  });
});

describe('the chapter "Custom providers"', () => {
  class ConfigService {
    readonly name: string = 'production';
  }

  class DevelopmentConfigService extends ConfigService {
    override readonly name = 'development';
  }

  interface Connection {
    config: string;
    missing: boolean;
  }

  @Controller('providers')
  class ProvidersController {
    constructor(
      @Inject('CONNECTION') private readonly connection: Connection,
      @Inject('ASYNC_CONNECTION') private readonly asyncConnection: string,
      @Inject('AliasedConfigService') private readonly alias: ConfigService,
      private readonly config: ConfigService,
      @Optional() @Inject('HTTP_OPTIONS') private readonly options?: object,
    ) {}

    @Get()
    read() {
      return {
        connection: this.connection,
        asyncConnection: this.asyncConnection,
        isSameInstance: this.alias === this.config,
        options: this.options ?? null,
      };
    }
  }

  @Module({
    controllers: [ProvidersController],
    providers: [
      { provide: ConfigService, useClass: DevelopmentConfigService },
      { provide: 'AliasedConfigService', useExisting: ConfigService },
      {
        provide: 'CONNECTION',
        useFactory: (config: ConfigService, missing?: string): Connection => ({
          config: config.name,
          missing: missing === undefined,
        }),
        inject: [ConfigService, { token: 'SomeOptionalProvider', optional: true }],
      },
      { provide: 'ASYNC_CONNECTION', useFactory: () => Promise.resolve('connected') },
    ],
  })
  class ProvidersModule {}

  it('injects classes, factories, aliases, and optional providers', async () => {
    const { app } = await createTestApp({ features: [ProvidersModule] });
    await request(app.getHttpServer())
      .get('/providers')
      .expect(200, {
        connection: { config: 'development', missing: true },
        asyncConnection: 'connected',
        isSameInstance: true,
        options: null,
      });
  });
});

describe('the chapter "Injection scopes"', () => {
  let services = 0;
  let repositories = 0;

  @Injectable()
  class CatsRepository {
    readonly id = ++repositories;
  }

  @Injectable({ scope: Scope.REQUEST })
  class CatsService {
    readonly id = ++services;

    constructor(
      @Inject(REQUEST) private readonly request: Request,
      private readonly repository: CatsRepository,
    ) {}

    describe() {
      return { url: this.request.url, service: this.id, repository: this.repository.id };
    }
  }

  @Injectable({ scope: Scope.TRANSIENT })
  class HelloService {
    constructor(@Inject(INQUIRER) private readonly parentClass: object) {}

    sayHello(message: string): string {
      return `${this.parentClass.constructor.name}: ${message}`;
    }
  }

  @Controller('cats')
  class CatsController {
    constructor(
      private readonly catsService: CatsService,
      private readonly helloService: HelloService,
    ) {}

    @Get(':id')
    read() {
      return this.catsService.describe();
    }

    @Get()
    sayHello() {
      return { hello: this.helloService.sayHello('My name is getRoot') };
    }
  }

  let controllers = 0;

  @Controller({ path: 'dogs', scope: Scope.REQUEST })
  class DogsController {
    private readonly id = ++controllers;

    @Get()
    read() {
      return { controller: this.id };
    }
  }

  interface Tenant {
    tenantId: string;
  }

  const tenants = new Map<string, ContextId>();

  class AggregateByTenantContextIdStrategy implements ContextIdStrategy<Request> {
    attach(contextId: ContextId, request: Request) {
      const tenantId = request.headers['x-tenant-id'] as string;
      const tenantSubTreeId = tenants.get(tenantId) ?? ContextIdFactory.create();
      tenants.set(tenantId, tenantSubTreeId);
      return {
        resolve: (info: HostComponentInfo) => (info.isTreeDurable ? tenantSubTreeId : contextId),
        payload: { tenantId },
      };
    }
  }

  let tenantServices = 0;

  @Injectable({ scope: Scope.REQUEST, durable: true })
  class TenantService {
    readonly id = ++tenantServices;

    constructor(@Inject(REQUEST) readonly payload: Tenant) {}
  }

  @Controller('tenants')
  class TenantsController {
    constructor(private readonly tenantService: TenantService) {}

    @Get()
    read() {
      return { service: this.tenantService.id, tenant: this.tenantService.payload.tenantId };
    }
  }

  @Module({
    controllers: [CatsController, DogsController, TenantsController],
    providers: [CatsRepository, CatsService, HelloService, TenantService],
  })
  class CatsModule {}

  it('creates request-scoped providers and controllers for each request', async () => {
    const { app } = await createTestApp({ features: [CatsModule] });
    const server = app.getHttpServer();
    await request(server).get('/cats/a').expect(200, { url: '/cats/a', service: 1, repository: 1 });
    await request(server).get('/cats/b').expect(200, { url: '/cats/b', service: 2, repository: 1 });
    await request(server).get('/dogs').expect(200, { controller: 1 });
    await request(server).get('/dogs').expect(200, { controller: 2 });
  });

  it('injects the class that injects a transient provider', async () => {
    const { app } = await createTestApp({ features: [CatsModule] });
    await request(app.getHttpServer())
      .get('/cats')
      .expect(200, { hello: 'CatsController: My name is getRoot' });
  });

  it('creates durable providers for each tenant', async () => {
    ContextIdFactory.apply(new AggregateByTenantContextIdStrategy());
    const { app } = await createTestApp({ features: [CatsModule] });
    for (const [tenant, service] of [
      ['a', 1],
      ['b', 2],
      ['a', 1],
    ] as const) {
      await request(app.getHttpServer())
        .get('/tenants')
        .set('X-Tenant-Id', tenant)
        .expect(200, { service, tenant });
    }
  });
});
