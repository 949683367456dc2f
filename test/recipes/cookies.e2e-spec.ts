import {
  Controller,
  createParamDecorator,
  type ExecutionContext,
  Get,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  Req,
  Res,
} from '@nestjs/common';
import cookieParser from 'cookie-parser';
import type { Request, Response } from 'express';
import request from 'supertest';
import { createTestApp } from '../fixtures/app.js';

type Values = Record<string, unknown>;

const Cookies = createParamDecorator((data: string | undefined, ctx: ExecutionContext) => {
  const request = ctx.switchToHttp().getRequest<{ cookies?: Values }>();
  return data ? request.cookies?.[data] : request.cookies;
});

@Controller('cookies')
class CookiesController {
  @Get()
  findAll(@Req() request: Request) {
    return {
      cookies: request.cookies as Values,
      signedCookies: request.signedCookies as Values,
    };
  }

  @Get('decorated')
  findDecorated(@Cookies('name') name: string, @Cookies() cookies: Values) {
    return { name, cookies };
  }

  @Get('set')
  set(@Res({ passthrough: true }) response: Response) {
    response.cookie('key', 'value');
    response.cookie('signed', 'value', { signed: true, httpOnly: true });
    return { isSet: true };
  }

  @Get('clear')
  clear(@Res({ passthrough: true }) response: Response) {
    response.clearCookie('key');
    return { isCleared: true };
  }
}

/** The cookie that `secret` signs. */
const SIGNED = 'signed=s%3Avalue.UOA%2BvmW%2BmLuL8RuiyJLVTAeayisNOwFidpxtdXolQ08';

@Module({ controllers: [CookiesController] })
class GlobalCookiesModule {}

@Module({ controllers: [CookiesController] })
class CookiesModule implements NestModule {
  configure(consumer: MiddlewareConsumer) {
    consumer.apply(cookieParser('secret')).forRoutes(CookiesController);
  }
}

describe.each([
  [
    'app.use()',
    {
      features: [GlobalCookiesModule],
      prepare: (app: { use(middleware: unknown): unknown }) => {
        app.use(cookieParser('secret'));
      },
    },
  ],
  ['MiddlewareConsumer', { features: [CookiesModule] }],
])('the chapter "Cookies", with %s', (_, options) => {
  it('reads cookies from the request and with a decorator', async () => {
    const { app } = await createTestApp(options);
    const server = app.getHttpServer();
    await request(server)
      .get('/cookies')
      .set('Cookie', `name=Tom; list=j:[1]; ${SIGNED}; forged=s%3Avalue.x`)
      .expect(200, {
        cookies: { name: 'Tom', list: [1] },
        signedCookies: { signed: 'value', forged: false },
      });
    await request(server)
      .get('/cookies/decorated')
      .set('Cookie', 'name=Tom')
      .expect(200, { name: 'Tom', cookies: { name: 'Tom' } });
    await request(server).get('/cookies').expect(200, { cookies: {}, signedCookies: {} });
  });

  it('sets and clears cookies of the response', async () => {
    const { app } = await createTestApp(options);
    const server = app.getHttpServer();
    const { headers } = await request(server).get('/cookies/set').expect(200, { isSet: true });
    expect(headers['set-cookie']).toEqual(['key=value; Path=/', `${SIGNED}; Path=/; HttpOnly`]);
    await request(server)
      .get('/cookies/clear')
      .expect('Set-Cookie', 'key=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT')
      .expect(200, { isCleared: true });
  });
});
