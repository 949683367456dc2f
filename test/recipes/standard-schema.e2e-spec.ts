import {
  Body,
  Controller,
  Get,
  Module,
  Param,
  Post,
  Query,
  SerializeOptions,
  StandardSchemaSerializerInterceptor,
  StandardSchemaValidationPipe,
  UnprocessableEntityException,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import request from 'supertest';
import { z } from 'zod';
import { createTestApp } from '../fixtures/app.js';

const catSchema = z.object({ name: z.string(), age: z.number().int() });
type Cat = z.infer<typeof catSchema>;

@Controller('cats')
class CatsController {
  @Post()
  create(@Body({ schema: catSchema }) cat: Cat) {
    return cat;
  }

  @Get(':id')
  findOne(
    @Param('id', { schema: z.coerce.number().int() }) id: number,
    @Query({ schema: z.object({ lang: z.enum(['en', 'de']).default('en') }) })
    query: { lang: string },
  ) {
    return { id, query };
  }

  @Get()
  @UseInterceptors(StandardSchemaSerializerInterceptor)
  @SerializeOptions({ schema: z.object({ name: z.string() }) })
  findAll() {
    return [{ name: 'Tom', secret: 'mouse' }];
  }
}

@Controller('pipe')
@UsePipes(
  new StandardSchemaValidationPipe({
    exceptionFactory: (issues) =>
      new UnprocessableEntityException({
        detail: issues.map(({ path = [], message }) => ({
          type: 'value_error',
          loc: ['body', ...path],
          msg: message,
        })),
      }),
  }),
)
class PipeController {
  @Post()
  create(@Body({ schema: catSchema }) cat: Cat) {
    return cat;
  }
}

@Module({ controllers: [PipeController] })
class PipeModule {}

@Module({
  controllers: [CatsController],
  providers: [{ provide: APP_PIPE, useClass: StandardSchemaValidationPipe }],
})
class CatsModule {}

describe('Standard Schema', () => {
  it('validates and converts parameters with StandardSchemaValidationPipe', async () => {
    const { app } = await createTestApp({ features: [CatsModule] });
    const server = app.getHttpServer();
    await request(server)
      .post('/cats')
      .send({ name: 'Tom', age: 2, unknown: true })
      .expect(201, { name: 'Tom', age: 2 });
    await request(server)
      .post('/cats')
      .send({ name: 'Tom', age: '2' })
      .expect(400, { detail: ['age: Invalid input: expected number, received string'] });
    await request(server)
      .get('/cats/5')
      .expect(200, { id: 5, query: { lang: 'en' } });
    await request(server)
      .get('/cats/x')
      .expect(400, { detail: ['Invalid input: expected number, received NaN'] });
    await request(server)
      .get('/cats/5?lang=fr')
      .expect(400, { detail: ['lang: Invalid option: expected one of "en"|"de"'] });
  });

  it('has the errors of an exceptionFactory', async () => {
    const { app } = await createTestApp({ features: [PipeModule] });
    await request(app.getHttpServer())
      .post('/pipe')
      .send({ name: 5, age: 2 })
      .expect(422, {
        detail: [
          {
            type: 'value_error',
            loc: ['body', 'name'],
            msg: 'Invalid input: expected string, received number',
          },
        ],
      });
  });

  it('serializes responses with StandardSchemaSerializerInterceptor', async () => {
    const { app } = await createTestApp({ features: [CatsModule] });
    await request(app.getHttpServer())
      .get('/cats')
      .expect(200, [{ name: 'Tom' }]);
  });

  it('is part of the OpenAPI document', async () => {
    const { app } = await createTestApp({ features: [CatsModule] });
    const { text } = await request(app.getHttpServer()).get('/openapi.json').expect(200);
    const { paths } = JSON.parse(text) as {
      paths: Record<
        string,
        Record<string, { requestBody: { content: unknown }; parameters: unknown }>
      >;
    };
    expect(paths['/cats']?.post?.requestBody.content).toMatchObject({
      'application/json': {
        schema: {
          type: 'object',
          properties: { name: { type: 'string' }, age: { type: 'integer' } },
          required: ['name', 'age'],
        },
      },
    });
    expect(paths['/cats/{id}']?.get?.parameters).toMatchObject([
      { name: 'id', in: 'path', required: true, schema: { type: 'integer' } },
      {
        name: 'lang',
        in: 'query',
        required: false,
        schema: { type: 'string', enum: ['en', 'de'], default: 'en' },
      },
    ]);
  });
});
