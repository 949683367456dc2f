import {
  BadGatewayException,
  type CallHandler,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  Logger,
  Module,
  type NestInterceptor,
  NotFoundException,
  RequestTimeoutException,
  UseInterceptors,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { NEVER, type Observable, of, throwError, TimeoutError } from 'rxjs';
import { catchError, map, tap, timeout } from 'rxjs/operators';
import request from 'supertest';
import { createTestApp, type TestApp } from '../fixtures/app.js';

const logger = new Logger('LoggingInterceptor');

@Injectable()
class LoggingInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    logger.log('Before...');
    return next.handle().pipe(
      tap(() => {
        logger.log('After...');
      }),
    );
  }
}

interface Response<T> {
  data: T;
}

@Injectable()
class TransformInterceptor<T> implements NestInterceptor<T, Response<T>> {
  intercept(context: ExecutionContext, next: CallHandler<T>): Observable<Response<T>> {
    return next.handle().pipe(map((data) => ({ data })));
  }
}

@Injectable()
class ExcludeNullInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((value: unknown) => (value === null ? '' : value)));
  }
}

@Injectable()
class ErrorsInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(catchError(() => throwError(() => new BadGatewayException())));
  }
}

@Injectable()
class CacheInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const isCached = true;
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition
    if (isCached) {
      return of([]);
    }
    return next.handle();
  }
}

@Injectable()
class TimeoutInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      timeout(20),
      catchError((err: unknown) => {
        if (err instanceof TimeoutError) {
          return throwError(() => new RequestTimeoutException());
        }
        return throwError(() => err);
      }),
    );
  }
}

@Controller('cats')
class CatsController {
  @Get('logged')
  @UseInterceptors(LoggingInterceptor)
  readLogged() {
    logger.log('Handler');
    return [];
  }

  @Get('transformed')
  @UseInterceptors(TransformInterceptor)
  readTransformed() {
    return [];
  }

  @Get('null')
  @UseInterceptors(ExcludeNullInterceptor)
  readNull() {
    return null;
  }

  @Get('errors')
  @UseInterceptors(ErrorsInterceptor)
  readErrors() {
    throw new NotFoundException();
  }

  @Get('cached')
  @UseInterceptors(CacheInterceptor)
  readCached() {
    throw new Error('The handler must not run.');
  }

  @Get('timeout')
  @UseInterceptors(TimeoutInterceptor)
  readTimeout() {
    return NEVER;
  }

  @Get('not-found')
  @UseInterceptors(TimeoutInterceptor)
  readNotFound() {
    throw new NotFoundException();
  }
}

@Module({ controllers: [CatsController] })
class CatsModule {}

describe('the chapter "Interceptors"', () => {
  let testApp: TestApp;

  beforeAll(async () => {
    testApp = await createTestApp({ features: [CatsModule] });
  });

  it.each([
    ['maps the response', '/cats/transformed', 200, { data: [] }],
    ['maps an exception', '/cats/errors', 502, { detail: 'Bad Gateway' }],
    ['overrides the stream', '/cats/cached', 200, []],
    ['ends a request after a time limit', '/cats/timeout', 408, { detail: 'Request Timeout' }],
    ['passes other exceptions', '/cats/not-found', 404, { detail: 'Not Found' }],
  ])('%s', async (_, path, status, body) => {
    await request(testApp.app.getHttpServer()).get(path).expect(status, body);
  });

  it('maps null to an empty body', async () => {
    await request(testApp.app.getHttpServer()).get('/cats/null').expect(200, '');
  });

  it('logs before and after the handler, with the id of the request', async () => {
    const { app, log } = testApp;
    log.length = 0;
    await request(app.getHttpServer())
      .get('/cats/logged')
      .set('X-Request-Id', 'logged')
      .expect(200, []);
    const records = log.filter(({ context }) => context === 'LoggingInterceptor');
    expect(records.map(({ msg, requestId }) => [msg, requestId])).toEqual([
      ['Before...', 'logged'],
      ['Handler', 'logged'],
      ['After...', 'logged'],
    ]);
  });

  it('applies APP_INTERCEPTOR around the interceptors of controllers and handlers', async () => {
    const createInterceptor = (name: string) => {
      @Injectable()
      class NameInterceptor implements NestInterceptor {
        intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
          return next.handle().pipe(map((value: unknown) => ({ [name]: value })));
        }
      }
      return NameInterceptor;
    };

    @Controller('ordered')
    @UseInterceptors(createInterceptor('controller'))
    class OrderedController {
      @Get()
      @UseInterceptors(createInterceptor('handler'))
      read() {
        return [];
      }
    }

    @Module({
      controllers: [OrderedController],
      providers: [{ provide: APP_INTERCEPTOR, useClass: createInterceptor('global') }],
    })
    class OrderedModule {}

    const { app } = await createTestApp({ features: [OrderedModule] });
    await request(app.getHttpServer())
      .get('/ordered')
      .expect(200, { global: { controller: { handler: [] } } });
  });
});
