import { Body, Controller, Get, Inject, Injectable, Module, Post, Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { IsString } from 'class-validator';
import type { Request } from 'express';
import request from 'supertest';
import { BodyLimit } from '../../src/platform/http/body-limit.decorator.js';
import { createTestApp } from '../fixtures/app.js';

describe('the chapter "Injection scopes"', () => {
  let services = 0;
  let controllers = 0;

  @Injectable({ scope: Scope.REQUEST })
  class CatsService {
    readonly id = ++services;

    constructor(@Inject(REQUEST) private readonly request: Request) {}

    read() {
      return { url: this.request.url, service: this.id };
    }
  }

  class CreateCatDto {
    @IsString()
    name!: string;
  }

  @Controller('cats')
  class CatsController {
    constructor(private readonly catsService: CatsService) {}

    @Get()
    read() {
      return this.catsService.read();
    }

    @Post()
    @BodyLimit('1kb')
    create(@Body() { name }: CreateCatDto) {
      return { ...this.catsService.read(), name };
    }
  }

  @Controller({ path: 'dogs', scope: Scope.REQUEST })
  class DogsController {
    private readonly id = ++controllers;

    @Get()
    read() {
      return { controller: this.id };
    }
  }

  @Module({ controllers: [CatsController, DogsController], providers: [CatsService] })
  class PetsModule {}

  it('creates request-scoped providers and controllers for each request', async () => {
    const { app } = await createTestApp({ features: [PetsModule] });
    const server = app.getHttpServer();
    await request(server).get('/cats?a').expect(200, { url: '/cats?a', service: 1 });
    await request(server).get('/cats?b').expect(200, { url: '/cats?b', service: 2 });
    await request(server).get('/dogs').expect(200, { controller: 1 });
    await request(server).get('/dogs').expect(200, { controller: 2 });
  });

  it('parses and validates the body of a request-scoped handler, with its limit', async () => {
    const { app } = await createTestApp({ features: [PetsModule] });
    const post = (name: unknown) => request(app.getHttpServer()).post('/cats').send({ name });
    services = 0;
    await post('Tom').expect(201, { url: '/cats', service: 1, name: 'Tom' });
    await post(1).expect(422, {
      detail: [
        {
          type: 'string_type',
          loc: ['body', 'name'],
          msg: 'Input should be a valid string',
          input: 1,
        },
      ],
    });
    await post('x'.repeat(1024)).expect(413, {
      detail: 'The request body is larger than the limit of 1kb',
    });
  });
});
