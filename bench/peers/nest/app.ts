// The application of the Nest peers: terminus, Nest's ValidationPipe, and one module per feature.
// nest-express.ts, nest-fastify.ts and nest-fastify-headers.ts run it.
import {
  Body,
  Controller,
  Get,
  HttpCode,
  type INestApplication,
  Injectable,
  Module,
  Post,
  UnprocessableEntityException,
  type ValidationError,
  ValidationPipe,
} from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { IsString } from 'class-validator';
import { listFeatures } from '../features.js';

class PingDto {
  @IsString()
  ping!: string;
}

@Controller()
class SmokeTestController {
  @Get('system/healthz')
  healthz() {
    return { status: 'ok', message: 'PetSage API is alive and running!' };
  }

  @Post('api/v1/system/smoke-test')
  @HttpCode(200)
  smokeTest(@Body() { ping }: PingDto) {
    return {
      status: 'ok',
      message: 'PetSage system is operational.',
      pong: ping,
      timestamp: new Date().toISOString(),
    };
  }
}

@Controller('system/readyz')
class ReadinessController {
  constructor(private readonly health: HealthCheckService) {}

  @Get()
  @HealthCheck()
  check() {
    return this.health.check([]);
  }
}

/** Creates the classes of a feature: each has its own DTO, service, controller and module. */
function createFeatureModule({ name, path }: { name: string; path: string }) {
  class FeatureDto {
    @IsString()
    ping!: string;
  }

  @Injectable()
  class FeatureService {
    getStatus() {
      return { status: 'ok', feature: name, message: `PetSage ${name} is functional!` };
    }

    submit({ ping }: FeatureDto) {
      return { ping };
    }
  }

  @Controller(path)
  class FeatureController {
    constructor(private readonly service: FeatureService) {}

    @Get('smoke-test')
    getStatus() {
      return this.service.getStatus();
    }

    @Post()
    @HttpCode(200)
    submit(@Body() body: FeatureDto) {
      return this.service.submit(body);
    }
  }

  @Module({ controllers: [FeatureController], providers: [FeatureService] })
  class FeatureModule {}
  return FeatureModule;
}

@Module({
  imports: [TerminusModule, ...listFeatures().map(createFeatureModule)],
  controllers: [SmokeTestController, ReadinessController],
})
export class AppModule {}

/** Starts the application with body validation. */
export async function serve(app: INestApplication): Promise<void> {
  app.useGlobalPipes(new ValidationPipe({ exceptionFactory, validationError: { target: true } }));
  await app.listen(Number(process.env.PORT), '127.0.0.1');
}

function exceptionFactory(errors: ValidationError[]) {
  const detail = errors.map(({ property, value, target }) => {
    const [type, msg, input] =
      value === undefined
        ? ['missing', 'Field required', target]
        : ['string_type', 'Input should be a valid string', value];
    return { type, loc: ['body', property], msg, input };
  });
  return new UnprocessableEntityException({ detail });
}
