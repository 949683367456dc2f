import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  Module,
  Post,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import { APP_GUARD, Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { type Observable, of } from 'rxjs';
import request from 'supertest';
import { createTestApp } from '../fixtures/app.js';

const Roles = Reflector.createDecorator<string[]>();

interface AuthenticatedRequest extends Request {
  user?: { roles: string[] };
}

@Injectable()
class AuthGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    const roles = request.get('X-Roles');
    if (roles !== undefined) request.user = { roles: roles.split(',') };
    return true;
  }
}

@Injectable()
class RolesGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const roles = this.reflector.getAllAndOverride<string[] | undefined>(Roles, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (!roles) {
      return true;
    }
    const { user } = context.switchToHttp().getRequest<AuthenticatedRequest>();
    if (user === undefined) throw new UnauthorizedException();
    return roles.some((role) => user.roles.includes(role));
  }
}

@Controller('cats')
@Roles(['admin'])
class CatsController {
  @Post()
  create() {
    return 'This action adds a new cat';
  }

  @Get()
  @Roles(['admin', 'user'])
  findAll() {
    return [];
  }
}

@Module({
  controllers: [CatsController],
  providers: [
    { provide: APP_GUARD, useClass: AuthGuard },
    { provide: APP_GUARD, useClass: RolesGuard },
  ],
})
class CatsModule {}

describe('the chapter "Guards"', () => {
  it('rejects callers without the role with APP_GUARD and Reflector', async () => {
    const { app } = await createTestApp({ features: [CatsModule] });
    const server = app.getHttpServer();
    await request(server).post('/cats').expect(401, { detail: 'Unauthorized' });
    await request(server)
      .post('/cats')
      .set('X-Roles', 'user')
      .expect(403, { detail: 'Forbidden resource' });
    await request(server)
      .post('/cats')
      .set('X-Roles', 'user,admin')
      .expect(201, 'This action adds a new cat');
    await request(server).get('/cats').set('X-Roles', 'user').expect(200, []);
    await request(server).get('/system/healthz').expect(200);
  });

  it('runs the guards of the application, the controller, and the handler, in this order', async () => {
    let calls: string[] = [];
    const createGuard = (name: string, result: ReturnType<CanActivate['canActivate']>) => {
      @Injectable()
      class RecordGuard implements CanActivate {
        canActivate(): boolean | Promise<boolean> | Observable<boolean> {
          calls.push(name);
          return result;
        }
      }
      return RecordGuard;
    };
    const first = createGuard('controller 1', true);
    const second = createGuard('controller 2', Promise.resolve(true));

    @Controller('ordered')
    @UseGuards(first, second)
    class OrderedController {
      @Get()
      @UseGuards(createGuard('handler', of(true)))
      read() {
        return { calls };
      }

      @Get('rejected')
      @UseGuards(createGuard('rejecting', of(false)), createGuard('unreachable', true))
      readRejected() {
        return { calls };
      }
    }

    @Module({
      controllers: [OrderedController],
      providers: [{ provide: APP_GUARD, useClass: createGuard('global', true) }],
    })
    class OrderedModule {}

    const { app } = await createTestApp({ features: [OrderedModule] });
    await request(app.getHttpServer())
      .get('/ordered')
      .expect(200, { calls: ['global', 'controller 1', 'controller 2', 'handler'] });
    calls = [];
    await request(app.getHttpServer())
      .get('/ordered/rejected')
      .expect(403, { detail: 'Forbidden resource' });
    expect(calls).toEqual(['global', 'controller 1', 'controller 2', 'rejecting']);
  });
});
