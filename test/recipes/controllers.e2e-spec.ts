import {
  Body,
  Controller,
  Delete,
  Get,
  Header,
  HostParam,
  HttpCode,
  HttpStatus,
  Module,
  Param,
  Post,
  Put,
  Query,
  Redirect,
  Req,
  Res,
} from '@nestjs/common';
import { IsInt, IsString } from 'class-validator';
import type { Request, Response } from 'express';
import { type Observable, of } from 'rxjs';
import request from 'supertest';
import { createTestApp, type TestApp } from '../fixtures/app.js';

class CreateCatDto {
  @IsString()
  name!: string;

  @IsInt()
  age!: number;

  @IsString()
  breed!: string;
}

class UpdateCatDto {
  name!: string;
}

class ListAllEntities {
  limit!: string;
}

/** The sample "Full resource sample", and its variants. */
@Controller('cats')
class CatsController {
  @Post()
  create(@Body() createCatDto: CreateCatDto) {
    return 'This action adds a new cat';
  }

  @Get()
  findAll(@Query() query: ListAllEntities) {
    return `This action returns all cats (limit: ${query.limit} items)`;
  }

  @Get('filtered')
  findFiltered(@Query('age') age: number, @Query('breed') breed: string) {
    return `This action returns all cats filtered by age: ${age} and breed: ${breed}`;
  }

  @Get('query')
  getQuery(@Query() query: object) {
    return query;
  }

  @Get('promise')
  async findPromise(): Promise<unknown[]> {
    return Promise.resolve([]);
  }

  @Get('observable')
  findObservable(): Observable<unknown[]> {
    return of([]);
  }

  @Get('request')
  getRequest(@Req() req: Request) {
    return { method: req.method, url: req.url, agent: req.get('User-Agent') };
  }

  @Get('abcd/*')
  findWildcard() {
    return 'This route uses a wildcard';
  }

  @Get('named/*path')
  findNamedWildcard(@Param('path') path: string[]) {
    return path;
  }

  @Post('no-content')
  @HttpCode(204)
  createWithoutContent() {
    return 'This action adds a new cat';
  }

  @Post('cached')
  @Header('Cache-Control', 'max-age=60')
  @Header('X-Cat', () => 'Tom')
  createCached() {
    return { name: 'Tom' };
  }

  @Get(':id')
  findOne(@Param('id') id: string) {
    return `This action returns a #${id} cat`;
  }

  @Put(':id')
  update(@Param('id') id: string, @Body() updateCatDto: UpdateCatDto) {
    return { id, updateCatDto };
  }

  @Delete(':id')
  remove(@Param('id') id: string) {
    return `This action removes a #${id} cat`;
  }
}

@Controller('redirects')
class RedirectsController {
  @Get()
  @Redirect('https://nestjs.com', 301)
  redirect() {
    return undefined;
  }

  @Get('default')
  @Redirect('https://nestjs.com')
  redirectByDefault() {
    return undefined;
  }

  @Get('docs')
  @Redirect('https://docs.nestjs.com', 302)
  getDocs(@Query('version') version?: string) {
    if (version && version === '5') {
      return { url: 'https://docs.nestjs.com/v5/' };
    }
    return undefined;
  }

  @Get('status')
  @Redirect()
  getStatus() {
    return { url: '/cats', statusCode: HttpStatus.SEE_OTHER };
  }
}

@Controller({ host: 'admin.example.com' })
class AdminController {
  @Get('host')
  index(): string {
    return 'Admin page';
  }
}

@Controller({ host: ':account.example.com' })
class AccountController {
  @Get('host')
  getInfo(@HostParam('account') account: string) {
    return account;
  }
}

@Controller('library-specific')
class LibrarySpecificController {
  @Post()
  create(@Res() res: Response) {
    res.status(HttpStatus.CREATED).send();
  }

  @Get()
  findAll(@Res() res: Response) {
    res.status(HttpStatus.OK).json([]);
  }

  @Get('passthrough')
  @Header('X-Cat', 'Tom')
  findPassthrough(@Res({ passthrough: true }) res: Response) {
    res.status(HttpStatus.ACCEPTED);
    return [];
  }
}

@Module({
  controllers: [
    CatsController,
    RedirectsController,
    AdminController,
    AccountController,
    LibrarySpecificController,
  ],
})
class CatsModule {}

describe('the chapter "Controllers"', () => {
  let server: ReturnType<TestApp['app']['getHttpServer']>;

  beforeAll(async () => {
    const { app } = await createTestApp({ features: [CatsModule] });
    server = app.getHttpServer();
  });

  it('serves the full resource sample', async () => {
    const cat = { name: 'Tom', age: 2, breed: 'Persian' };
    await request(server).post('/cats').send(cat).expect(201, 'This action adds a new cat');
    await request(server)
      .get('/cats?limit=5')
      .expect(200, 'This action returns all cats (limit: 5 items)');
    await request(server).get('/cats/7').expect(200, 'This action returns a #7 cat');
    await request(server)
      .put('/cats/7')
      .send({ name: 'Tom' })
      .expect(200, { id: '7', updateCatDto: { name: 'Tom' } });
    await request(server).delete('/cats/7').expect(200, 'This action removes a #7 cat');
  });

  it('passes query parameters and the request', async () => {
    await request(server)
      .get('/cats/filtered?age=2&breed=Persian')
      .expect(200, 'This action returns all cats filtered by age: 2 and breed: Persian');
    await request(server)
      .get('/cats/request?a=1')
      .set('User-Agent', 'cat')
      .expect(200, { method: 'GET', url: '/cats/request?a=1', agent: 'cat' });
  });

  it('parses nested query parameters with the extended query parser', async () => {
    const { app } = await createTestApp({
      features: [CatsModule],
      prepare: (app) => {
        app.set('query parser', 'extended');
      },
    });
    await request(app.getHttpServer())
      .get('/cats/query?filter[where][name]=John&filter[where][age]=30&item[]=1&item[]=2')
      .expect(200, { filter: { where: { name: 'John', age: '30' } }, item: ['1', '2'] });
  });

  it('matches wildcards', async () => {
    for (const path of ['', '123', 'abc', 'a/b-c.d']) {
      await request(server).get(`/cats/abcd/${path}`).expect(200, 'This route uses a wildcard');
    }
    await request(server).get('/cats/abcde/1').expect(404, { detail: 'Not Found' });
    await request(server).get('/cats/named/a/b').expect(200, ['a', 'b']);
  });

  it('sends the status of @HttpCode() and the headers of @Header()', async () => {
    await request(server).post('/cats/no-content').expect(204, '');
    await request(server)
      .post('/cats/cached')
      .expect('Cache-Control', 'max-age=60')
      .expect('X-Cat', 'Tom')
      .expect(201, { name: 'Tom' });
  });

  it.each([
    ['/redirects', 301, 'https://nestjs.com'],
    ['/redirects/default', 302, 'https://nestjs.com'],
    ['/redirects/docs', 302, 'https://docs.nestjs.com'],
    ['/redirects/docs?version=5', 302, 'https://docs.nestjs.com/v5/'],
    ['/redirects/status', 303, '/cats'],
  ])('redirects %s with %d to %s', async (path, status, location) => {
    await request(server).get(path).expect('Location', location).expect(status);
  });

  it('selects the controller of the host, and passes @HostParam()', async () => {
    await request(server).get('/host').set('Host', 'admin.example.com').expect(200, 'Admin page');
    await request(server).get('/host').set('Host', 'tom.example.com').expect(200, 'tom');
    await request(server).get('/host').expect(404, { detail: 'Not Found' });
  });

  it('sends the result of a promise and of an observable', async () => {
    await request(server).get('/cats/promise').expect(200, []);
    await request(server).get('/cats/observable').expect(200, []);
  });

  it('leaves the response to @Res(), unless it has passthrough', async () => {
    await request(server).post('/library-specific').expect(201, '');
    await request(server).get('/library-specific').expect(200, []);
    await request(server)
      .get('/library-specific/passthrough')
      .expect('X-Cat', 'Tom')
      .expect(202, []);
  });
});
