import {
  type ArgumentsHost,
  Catch,
  ConflictException,
  Controller,
  type ExceptionFilter,
  Get,
  GoneException,
  Header,
  MethodNotAllowedException,
  Module,
  NotFoundException,
  ServiceUnavailableException,
  UseFilters,
} from '@nestjs/common';
import { APP_FILTER, BaseExceptionFilter } from '@nestjs/core';
import type { Response } from 'express';
import request from 'supertest';
import { ErrorFilter } from '../src/platform/http/error.filter.js';
import { createTestApp, type TestApp } from './fixtures/app.js';

/** What the handlers throw. */
let thrown: Error;

@Catch(ConflictException)
class ConflictFilter implements ExceptionFilter {
  catch(exception: ConflictException, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    response.status(409).json({ filtered: exception.message });
  }
}

@Catch(MethodNotAllowedException)
class MethodFilter implements ExceptionFilter {
  catch(_exception: MethodNotAllowedException, host: ArgumentsHost): void {
    host.switchToHttp().getResponse<Response>().status(405).json({ filtered: 'No such method' });
  }
}

@Catch(GoneException)
class GoneFilter extends ErrorFilter {
  override catch(_exception: GoneException, host: ArgumentsHost): void {
    super.catch(new ConflictException('The pet was adopted'), host);
  }
}

@Controller()
class FilteredController {
  @Get('app-filter')
  throw() {
    throw thrown;
  }

  @Get('extended-filter')
  @UseFilters(GoneFilter)
  throwFiltered() {
    throw thrown;
  }

  @Get('base-filter')
  @UseFilters(BaseExceptionFilter)
  @Header('Content-Type', 'text/csv')
  throwFromCsv() {
    throw thrown;
  }
}

@Module({
  controllers: [FilteredController],
  providers: [
    { provide: APP_FILTER, useClass: ConflictFilter },
    { provide: APP_FILTER, useClass: MethodFilter },
  ],
})
class FilteredModule {}

let app: TestApp['app'];
let log: TestApp['log'];

beforeAll(async () => {
  ({ app, log } = await createTestApp({ features: [FilteredModule] }));
});

function get(path: string) {
  return request(app.getHttpServer()).get(path);
}

describe('APP_FILTER of a feature', () => {
  it('takes precedence over the filter of the platform', async () => {
    thrown = new ConflictException('Two pets');
    await get('/app-filter').expect(409, { filtered: 'Two pets' });
  });

  it('leaves other exceptions to the filter of the platform', async () => {
    thrown = new NotFoundException('No pet');
    await get('/app-filter').expect(404, { detail: 'No pet' });
    await get('/nope').expect(404, { detail: 'Not Found' });
  });

  it('responds with the header Allow of a 405', async () => {
    await request(app.getHttpServer())
      .post('/app-filter')
      .expect(405, { filtered: 'No such method' })
      .expect('Allow', 'GET, HEAD');
  });
});

describe('a filter that extends ErrorFilter', () => {
  it('responds in the format of the platform', async () => {
    thrown = new GoneException('No pet');
    await get('/extended-filter')
      .expect(409, { detail: 'The pet was adopted' })
      .expect('Content-Type', 'application/json')
      .expect('Cache-Control', 'no-store');
  });
});

describe('BaseExceptionFilter of Nest', () => {
  const httpError = { status: 403, statusCode: 403, expose: true };

  it.each([
    [
      'a string',
      new NotFoundException('No'),
      404,
      '{"message":"No","error":"Not Found","statusCode":404}',
    ],
    ['an object', new ServiceUnavailableException({ a: 1 }), 503, '{"a":1}'],
    [
      'an error of http-errors',
      Object.assign(new Error('No'), httpError),
      403,
      '{"statusCode":403,"message":"No"}',
    ],
    ['an error', new Error('secret'), 500, '{"statusCode":500,"message":"Internal server error"}'],
  ])('sends JSON from a handler of another content type: %s', async (_, error, status, body) => {
    log.length = 0;
    thrown = error;
    await get('/base-filter')
      .expect(status, body)
      .expect('Content-Type', 'application/json')
      .expect('Cache-Control', 'no-store');
    expect(log.filter(({ context }) => context === 'FastExpressAdapter')).toMatchObject([
      {
        level: 'warn',
        msg: 'The body of an error is JSON, but its Content-Type is text/csv; charset=utf-8. Remove the header in the exception filter.',
      },
    ]);
  });
});
