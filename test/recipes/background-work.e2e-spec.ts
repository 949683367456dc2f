import { Controller, Get, HttpCode, Injectable, Module, Param, Post } from '@nestjs/common';
import {
  Command,
  CommandBus,
  CommandHandler,
  CqrsModule,
  EventBus,
  EventsHandler,
  type ICommandHandler,
  type IEventHandler,
  type IQueryHandler,
  Query,
  QueryBus,
  QueryHandler,
} from '@nestjs/cqrs';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import {
  Cron,
  CronExpression,
  Interval,
  ScheduleModule,
  SchedulerRegistry,
  Timeout,
} from '@nestjs/schedule';
import request from 'supertest';
import { createTestApp } from '../fixtures/app.js';
import { waitFor } from '../fixtures/wait-for.js';

describe('EventEmitterModule', () => {
  class PetAddedEvent {
    constructor(readonly name: string) {}
  }

  @Injectable()
  class WelcomeListener {
    readonly received: string[] = [];

    @OnEvent('pet.added')
    welcome({ name }: PetAddedEvent): void {
      this.received.push(name);
    }

    @OnEvent('pet.*', { async: true })
    async fail({ name }: PetAddedEvent): Promise<void> {
      await Promise.resolve();
      if (name === 'Fury') throw new Error('No welcome for Fury');
    }
  }

  @Controller('pets')
  class PetsController {
    constructor(private readonly events: EventEmitter2) {}

    @Post(':name')
    @HttpCode(202)
    add(@Param('name') name: string) {
      return { hasListeners: this.events.emit('pet.added', new PetAddedEvent(name)) };
    }
  }

  @Module({
    imports: [EventEmitterModule.forRoot({ wildcard: true })],
    controllers: [PetsController],
    providers: [WelcomeListener],
  })
  class PetsModule {}

  it('calls the listeners of an event', async () => {
    const { app } = await createTestApp({ features: [PetsModule] });
    await request(app.getHttpServer()).post('/pets/Rex').expect(202, { hasListeners: true });
    expect(app.get(WelcomeListener).received).toEqual(['Rex']);
  });

  it('logs the error of a listener, with the request id', async () => {
    const { app, log } = await createTestApp({ features: [PetsModule] });
    await request(app.getHttpServer())
      .post('/pets/Fury')
      .set('X-Request-Id', 'of-the-event')
      .expect(202, { hasListeners: true });
    await waitFor(() => log.some(({ level }) => level === 'error'));
    expect(log.filter(({ level }) => level === 'error')).toMatchObject([
      { context: 'Event', requestId: 'of-the-event' },
    ]);
  });
});

describe('ScheduleModule', () => {
  @Injectable()
  class CleanupService {
    runs: string[] = [];

    @Cron(CronExpression.EVERY_SECOND, { name: 'cleanup' })
    runCron(): void {
      this.runs.push('cron');
    }

    @Interval('poll', 1)
    runInterval(): void {
      this.runs.push('interval');
    }

    @Timeout(1)
    runTimeout(): void {
      this.runs.push('timeout');
    }
  }

  @Module({ imports: [ScheduleModule.forRoot()], providers: [CleanupService] })
  class CleanupModule {}

  it('runs jobs until the application is closed', async () => {
    const { app } = await createTestApp({ features: [CleanupModule] });
    const { runs } = app.get(CleanupService);
    await waitFor(() => new Set(runs).size === 3);
    const registry = app.get(SchedulerRegistry);
    expect(registry.getCronJob('cleanup').isActive).toBe(true);
    await app.close();
    expect(registry.getCronJobs().size).toBe(0);
    expect(registry.getIntervals()).toEqual([]);
  });
});

describe('CqrsModule', () => {
  class AdoptPetCommand extends Command<{ adoptionId: number }> {
    constructor(readonly name: string) {
      super();
    }
  }

  class PetAdoptedEvent {
    constructor(readonly name: string) {}
  }

  class ListAdoptedPetsQuery extends Query<string[]> {}

  @Injectable()
  class Adoptions {
    readonly names: string[] = [];
  }

  @CommandHandler(AdoptPetCommand)
  class AdoptPetHandler implements ICommandHandler<AdoptPetCommand> {
    constructor(private readonly eventBus: EventBus) {}

    async execute({ name }: AdoptPetCommand) {
      await this.eventBus.publish(new PetAdoptedEvent(name));
      return { adoptionId: 1 };
    }
  }

  @EventsHandler(PetAdoptedEvent)
  class PetAdoptedHandler implements IEventHandler<PetAdoptedEvent> {
    constructor(private readonly adoptions: Adoptions) {}

    handle({ name }: PetAdoptedEvent): void {
      this.adoptions.names.push(name);
    }
  }

  @QueryHandler(ListAdoptedPetsQuery)
  class ListAdoptedPetsHandler implements IQueryHandler<ListAdoptedPetsQuery> {
    constructor(private readonly adoptions: Adoptions) {}

    execute(): Promise<string[]> {
      return Promise.resolve(this.adoptions.names);
    }
  }

  @Controller('pets')
  class PetsController {
    constructor(
      private readonly commandBus: CommandBus,
      private readonly queryBus: QueryBus,
    ) {}

    @Post(':name/adopt')
    adopt(@Param('name') name: string) {
      return this.commandBus.execute(new AdoptPetCommand(name));
    }

    @Get()
    list() {
      return this.queryBus.execute(new ListAdoptedPetsQuery());
    }
  }

  @Module({
    imports: [CqrsModule.forRoot()],
    controllers: [PetsController],
    providers: [Adoptions, AdoptPetHandler, PetAdoptedHandler, ListAdoptedPetsHandler],
  })
  class PetsModule {}

  it('passes commands, events and queries to their handlers', async () => {
    const { app } = await createTestApp({ features: [PetsModule] });
    const server = app.getHttpServer();
    await request(server).post('/pets/Rex/adopt').expect(201, { adoptionId: 1 });
    await request(server).get('/pets').expect(200, ['Rex']);
  });
});
